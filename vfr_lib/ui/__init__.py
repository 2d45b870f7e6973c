"The player, the demo and what they need in a notebook."
