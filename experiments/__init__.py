"""One file per table or figure of the paper, and the speed benchmark."""
