"""Other Rounds hubs: who they are, what they are told, what they are asked."""
