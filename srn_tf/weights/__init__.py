"""Where weights come from.

run_folder.py   the folder that a training leaves and every command reads: its format
starter.py      the weights that come with the package (starter.npz, MODEL_CARD.md)
released.py     the authors' checkpoints, imported into a run folder
"""
