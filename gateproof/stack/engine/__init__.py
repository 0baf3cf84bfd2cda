"""The controllable engine: an OpenAI-compatible model server that takes its orders from the request itself."""
