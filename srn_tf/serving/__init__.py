"""The page in the browser on which a photograph is dropped and comes back deblurred.

page.py     what stands on the page, and that it asks no other host for anything
visits.py   one photograph at a time; its files, which are removed when the visit ends
"""
