"""After-sales: which ones an order has, what becomes of them, how the API shows them and what is true."""
