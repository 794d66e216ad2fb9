"""Notes in recordings: finding them, writing them down, editing them."""
