"""The admin API over HTTP, as its users meet it."""
