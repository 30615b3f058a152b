"""What runs over there.  This folder is the shipment: Python 3.9 and its standard library."""
