"""How figures look, and files of them: one style, for print; `kinds` are what several commands draw."""
