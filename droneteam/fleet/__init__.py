"""Fleet registry, requests, service level agreement and allocation."""
