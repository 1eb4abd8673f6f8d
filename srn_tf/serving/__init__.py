"""The page in the browser on which a photograph is dropped and comes back deblurred.

page.py       what stands on the page and what happens on a click: all there is of Gradio
worker.py     one photograph with the weights that were chosen, as `srn_tf.deblur` does it
visits.py     the files of a visit, gone when it ends
privacy.py    the page asks no other host for anything
"""
