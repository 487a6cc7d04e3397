"""After-sales: which ones an order has, their lifecycle, the API's response and the expected rows."""
