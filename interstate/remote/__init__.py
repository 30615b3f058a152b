"""What runs over there.  This folder is the shipment: standard library only, Python 3.9 and later."""
