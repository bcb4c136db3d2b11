"""What several experiments share and no function is: sampling loops, the choice of tokens, a turn of a game, judges, studies."""
