"""What every room uses and no paper speaks of.

errors.py   the two ways in which a command fails
cli.py      one `run(main)` for all commands
flags.py    flags, described by options
usage.py    the text of --help
files.py    results appear whole or not at all
folders.py  one process at a time, all files below, names that lead nowhere else
progress.py a bar on a terminal, a few lines in a log file
options.py  options: one description, type and range each, for flags, help and checks
gpus.py     a GPU that TensorFlow does not see is named
keras.py    the one Keras of the package
"""
