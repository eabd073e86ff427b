"""Images become vectors: by a network under a channel strategy, or by numbers computed from the pixels."""
