"""Who learned what on which day: visits, the API's two responses and the expected rows."""
