"""Where weights come from.

run_folder.py   the folder that a training leaves and every command reads: its format
released.py     the authors' checkpoints, imported into a run folder
"""
