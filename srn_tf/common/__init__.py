"""Shared helpers: command line, files, errors, progress.

errors.py   the ways in which a command fails, each with its exit status
cli.py      one `run(main)` for all commands
options.py  one description, type and range for each option
flags.py    flags and the text of --help, made from options
start.py    starts TensorFlow quietly
files.py    results appear whole or not at all
folders.py  one process at a time, all files below, paths for TensorFlow
progress.py a bar on a terminal, a few lines in a log file
threads.py  the stages of a job at once
hardware.py what the machine offers: memory, bfloat16
keras.py    the one Keras of the package
"""
