"""Message push (docs/xiaoe-api.md section 8): what the shop tells of its changes, sealed and delivered."""
