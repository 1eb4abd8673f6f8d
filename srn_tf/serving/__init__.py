"""The page in the browser (page.py) on which a photograph is dropped and comes back deblurred."""
