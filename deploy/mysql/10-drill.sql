-- Run once, when the server's volume is new. The restore drill of xiaoe_backup makes and drops this database.
GRANT ALL ON `xiaoe\_drill`.* TO 'xiaoe'@'%';
