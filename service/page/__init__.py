"""What a person sees in a browser: the timeline page, the documentation, the problems explained."""
