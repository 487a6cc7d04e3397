"""Messages to staff by mail and chat: sent, confirmed, and who refuses them."""
