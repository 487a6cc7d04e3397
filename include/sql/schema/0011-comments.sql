-- What two columns say of themselves.
-- depends: 0010-proof

ALTER TABLE sync_status
    MODIFY mode VARCHAR(32) NOT NULL
    COMMENT '同步方式：incremental 增量、history 历史、rescan 与 deep_rescan 复查、whole 整表、late 补查老订单、csv 导入；decide 福利判定、refresh 报表';

ALTER TABLE mart_queue
    MODIFY kind VARCHAR(16) NOT NULL
    COMMENT '需重算的内容：sales 销售、buyers 销售与用户、user 某用户的订单日、month 留存月、week 退款曲线周、deadline 福利截止日、decided 福利判定日、covered 覆盖日';
