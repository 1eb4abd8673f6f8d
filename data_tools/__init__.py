"""Tools that make and check data folders; nothing in `srn_tf` imports them."""
