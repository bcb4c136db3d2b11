"""What several experiments share and no function is: one turn of a game, sampling loops, the choice of tokens, judges, sizes."""
