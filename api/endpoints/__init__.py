"""What is at a URL: an operation, and the few things that are none, as the OpenAPI document and the login."""
