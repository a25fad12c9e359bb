"""The engine: brings planned requests to stored replies under limits, budget and retries."""
