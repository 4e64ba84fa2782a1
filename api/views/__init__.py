"""The answers: what the API and `headrace --json` tell, in the same words."""
