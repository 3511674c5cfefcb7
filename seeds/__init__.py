"""The timelines that come with the service, as files: `dateline seed` loads them."""
