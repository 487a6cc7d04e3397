"""Message push (docs/xiaoe-api.md section 8): messages about the shop's changes, sealed and delivered."""
