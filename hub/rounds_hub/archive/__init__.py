"""Where instances live: content addressed, one way in, one way out."""
