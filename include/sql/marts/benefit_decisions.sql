{#- Decides for every order in benefit_due (docs/benefits.md). Runs in one transaction, under the locks of the merges
    of orders and refunds: nobody changes what it reads. `policy` is include/benefit_policy.yaml, checked. benefit_seen
    has when orders made from a moment on were last seen by a window of the ledger. Business times are Beijing,
    observations UTC: a moment in UTC is eight hours earlier on the clock. `decided_at` is the moment of the run, UTC. -#}
{%- from "merge/macros.jinja" import nth, numbers %}
{#- Columns that a decision rests on, and what a person calls them: where one could not be read, a person decides. -#}
{%- set basics = [("order_state", "订单状态"), ("price", "实付金额"), ("refund_money", "退款金额")] %}
{%- set basics = basics + [("pay_time", "支付时间"), ("refund_time", "退款时间"), ("created_time", "下单时间")] %}
{%- set basics = basics + [("resource_type", "商品类型")] %}
{%- set unread = [] %}
{%- for column in ("state", "sale_type", "refund_money", "created_at", "updated_at") %}
{%- set _ = unread.append("FIND_IN_SET('" ~ column ~ "', r.problem_columns)") %}
{%- endfor %}
{%- set unread_of_refund = unread | join(" OR ") %}
{%- set now = "CAST('" ~ decided_at ~ "' AS DATETIME(3))" %}
{#- The moment from which the days count; whether it is known; and the first day of benefits. -#}
{%- set begin = "COALESCE(o." ~ policy.anchor ~ ", o.created_time)" %}
{%- set doubtful = "COALESCE(FIND_IN_SET('" ~ policy.anchor ~ "', o.problem_columns)"
    " OR FIND_IN_SET('created_time', o.problem_columns), 0)" %}
{%- set since = "CAST('" ~ policy.since ~ "' AS DATE)" if policy.since else "s.since" %}

{#- Benefits begin on the day of the shop's first decision, for good. -#}
INSERT IGNORE INTO benefit_starts (shop_id, since, recorded_at)
SELECT
    d.shop_id,
    DATE({{ now }} + INTERVAL 8 HOUR) AS since,
    {{ now }} AS recorded_at
FROM benefit_due AS d
INNER JOIN orders AS o ON d.shop_id = o.shop_id AND d.order_id = o.order_id
GROUP BY d.shop_id;

INSERT INTO benefit_facts (
    shop_id, order_id, created_time, deadline_at, order_state, is_paid, carries, is_early, refund_money, price,
    refund_time, observed_at, unreadable, is_stale, is_absent, is_imported, began
)
SELECT STRAIGHT_JOIN
    o.shop_id,
    o.order_id,
    o.created_time,
    {{ begin }} + INTERVAL {{ policy.days }} DAY AS deadline_at,
    o.order_state,
    o.pay_time IS NOT NULL OR COALESCE(o.order_state IN (1, 3, 8, 9, 10, 11), 0) AS is_paid,
    {% if policy.resource_types -%}
    COALESCE(o.resource_type IN ({{ policy.resource_types | join(", ") }}), 0)
    OR COALESCE(FIND_IN_SET('resource_type', o.problem_columns) > 0, 0) AS carries,
    {%- else -%}
    1 AS carries,
    {%- endif %}
    COALESCE({{ begin }} < {{ since }}, 0) AND NOT {{ doubtful }} AS is_early,
    o.refund_money,
    o.price,
    o.refund_time,
    o.observed_at,
    NULLIF(CONCAT_WS(
        ','
        {%- for column, _ in basics %},
        IF(FIND_IN_SET('{{ column }}', o.problem_columns), '{{ column }}', NULL)
        {%- endfor %}
    ), '') AS unreadable,
    0 AS is_stale,
    o.absent_since IS NOT NULL AS is_absent,
    o.observed_at < '1971-01-01' AS is_imported,
    0 AS began
FROM benefit_due AS d
INNER JOIN orders AS o ON d.shop_id = o.shop_id AND d.order_id = o.order_id
LEFT JOIN benefit_starts AS s ON d.shop_id = s.shop_id;

{#- An order that did not change is not written: the ledger has when it was last seen. -#}
UPDATE benefit_facts AS f
SET
    f.observed_at = GREATEST(
        f.observed_at,
        COALESCE(
            (
                SELECT w.observed_at FROM benefit_seen AS w
                WHERE w.since <= f.created_time
                ORDER BY w.since DESC LIMIT 1
            ),
            f.observed_at
        )
    );

{#- The newest version of the order could not be typed: what the warehouse holds is older than it looks. -#}
UPDATE benefit_facts AS f
INNER JOIN
    rejected_rows AS r
    ON f.shop_id = r.shop_id AND r.resource = 'orders' AND f.order_id = r.row_key AND r.resolved_at IS NULL
SET f.is_stale = 1;

{#- Whether a refund was under way in time (state 8, or 11, a part of it: docs/xiaoe-api.md section 2): 2 where a change
    to or from it was seen in time; 1 where the order was first seen in it, nobody knows since when. Without the index's
    name MariaDB reads the whole log for each order. -#}
UPDATE benefit_facts AS f
SET
    f.began = CASE
        WHEN
            EXISTS (
                SELECT 1 FROM order_state_log AS l FORCE INDEX (idx_order_state_log_order)
                WHERE
                    l.shop_id = f.shop_id AND l.order_id = f.order_id AND l.field = 'order_state'
                    AND (l.old_value IN ('8', '11') OR l.new_value IN ('8', '11'))
                    AND l.observed_at <= f.deadline_at - INTERVAL 8 HOUR
            )
            THEN 2
        WHEN
            (
                SELECT l.old_value FROM order_state_log AS l FORCE INDEX (idx_order_state_log_order)
                WHERE l.shop_id = f.shop_id AND l.order_id = f.order_id AND l.field = 'order_state'
                ORDER BY l.observed_at, l.id LIMIT 1
            ) IN ('8', '11')
            THEN 1
        ELSE 0
    END
WHERE f.refund_money > 0 OR f.refund_time IS NOT NULL OR f.order_state IN (3, 10);

{#- Applications for money back; an exchange (sale_type 3) is none. One without its time counts as made in
    time, one in a state that is not known to be over as open. -#}
{%- set in_time = "COALESCE(r.created_at <= f.deadline_at, 1)" %}
INSERT INTO benefit_aftersales (
    shop_id, order_id, asked_in_time, open_in_time, done_late, done_at, is_unreadable, digest
)
SELECT STRAIGHT_JOIN
    f.shop_id,
    f.order_id,
    SUM({{ in_time }}) AS asked_in_time,
    SUM({{ in_time }} AND COALESCE(r.state NOT IN (1, 4, 5, 7, 13, 14, 15, 18), 1)) AS open_in_time,
    SUM(
        {{ in_time }} AND r.state IN (13, 14)
        AND COALESCE(COALESCE(f.refund_time, r.updated_at) > f.deadline_at, 1)
    ) AS done_late,
    MIN(IF(r.state IN (13, 14), r.updated_at, NULL)) AS done_at,
    MAX(COALESCE({{ unread_of_refund }}, 0)) AS is_unreadable,
    SUM(CRC32(CONCAT_WS(':', r.aftersale_id, r.state, r.created_at, IF({{ unread_of_refund }}, '?', NULL)))) AS digest
FROM benefit_facts AS f
INNER JOIN refunds AS r FORCE INDEX (idx_refunds_order) ON f.shop_id = r.shop_id AND f.order_id = r.order_id
WHERE COALESCE(r.sale_type, 0) <> 3
GROUP BY f.shop_id, f.order_id;

{#- The rule: the first line that fits. What was refunded in time counts at once; whatever says that nothing was
    refunded has to be seen after the deadline. -#}
{%- set settled = "COALESCE(f.order_state, -1) NOT IN (8, 9)" %}
{%- set everything = "f.price > 0 AND f.refund_money >= f.price" %}
{%- set something = "f.refund_money > 0 OR f.refund_time IS NOT NULL" %}
{%- set refunded = "(COALESCE(f.order_state IN (3, 10), 0) OR COALESCE(" ~ everything ~ ", 0) AND " ~ settled ~ ")" %}
{%- set touched = "(COALESCE(" ~ something ~ ", 0) AND " ~ settled ~ ")" %}
{%- set refund_at = "COALESCE(f.refund_time, a.done_at)" %}
{%- set unreadable = [] %}
{%- for column, text in basics if column != "resource_type" or policy.resource_types %}
{%- set _ = unreadable.append(("FIND_IN_SET('" ~ column ~ "', f.unreadable)", "review", text ~ "无法解析")) %}
{%- endfor %}
{%- set rules = [
    ("f.is_imported", "not_applicable", "仅见于旧文件，接口尚未确认"),
    ("NOT f.carries", "not_applicable", "该类商品不含福利"),
    ("f.is_early", "not_applicable", "早于福利起算日"),
] + unreadable + [
    ("a.is_unreadable", "review", "售后单无法解析"),
    ("NOT f.is_paid", "not_applicable", "未支付"),
    ("f.deadline_at IS NULL", "review", "缺少下单时间"),
    (refunded ~ " AND " ~ refund_at ~ " <= f.deadline_at", "revoke", "截止前已全额退款"),
    (refunded ~ " AND " ~ refund_at ~ " IS NULL", "review", "已退款，退款时间未知"),
    ("NOT " ~ refunded ~ " AND " ~ touched ~ " AND " ~ refund_at ~ " IS NULL", "review", "部分退款，退款时间未知"),
    (touched ~ " AND LEAST(" ~ refund_at ~ ", COALESCE(a.done_at, f.refund_time)) <= f.deadline_at",
     policy.partial_refund, "截止前部分退款"),
    ("a.done_at <= f.deadline_at", policy.partial_refund, "截止前部分退款"),
    ("f.observed_at <= f.deadline_at - INTERVAL 8 HOUR AND " ~ now ~ " <= f.deadline_at - INTERVAL 8 HOUR",
     "pending", "未到截止时间"),
    ("f.observed_at <= f.deadline_at - INTERVAL 8 HOUR", "pending", "截止后尚未再次观测"),
    ("f.is_absent", "review", "店铺列表中已无此订单"),
    ("COALESCE(f.order_state, -1) NOT IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)", "review", "订单状态未知"),
    ("f.is_stale", "review", "最新订单数据无法解析"),
    ("a.open_in_time > 0", "review", "截止时退款处理中"),
    ("a.done_late > 0", "review", "截止前申请，截止后退款"),
    ("f.began > 0 AND (" ~ refunded ~ " OR " ~ touched ~ ") AND (f.began = 2 OR a.order_id IS NULL OR a.asked_in_time > 0)",
     "review", "截止前退款中，截止后退款"),
    ("f.order_state = 11 AND NOT " ~ touched ~ " AND (a.order_id IS NULL OR a.asked_in_time > 0)",
     "review", "截止时退款处理中"),
    ("f.order_state = 8 AND (a.order_id IS NULL OR a.asked_in_time > 0)", "review", "截止时退款处理中"),
    ("f.order_state = 9 AND (a.order_id IS NULL OR a.asked_in_time > 0)", "review", "截止时退款失败"),
] %}
INSERT INTO benefit_new (shop_id, order_id, decision, reason, deadline_at, observed_at, basis, decided_by)
SELECT
    d.shop_id,
    d.order_id,
    IF(d.decision = 'review', COALESCE(v.answer, d.decision), d.decision) AS decision,
    IF(d.decision = 'review' AND v.answer IS NOT NULL, CONCAT('人工复核：', d.reason), d.reason) AS reason,
    d.deadline_at,
    d.observed_at,
    d.basis,
    IF(d.decision = 'review', COALESCE(v.answered_by, 'system'), 'system') AS decided_by
FROM (
    SELECT
        f.shop_id,
        f.order_id,
        f.deadline_at,
        f.observed_at,
        CASE
            {%- for condition, decision, _ in rules %}
            WHEN {{ condition }} THEN '{{ decision }}'
            {%- endfor %}
            ELSE 'grant'
        END AS decision,
        CASE
            {%- for condition, _, reason in rules %}
            WHEN {{ condition }} THEN '{{ reason }}'
            {%- endfor %}
            ELSE '截止后观测，期内无退款'
        END AS reason,
        LEFT(SHA2(CONCAT_WS(
            '|',
            COALESCE(f.order_state, ''),
            COALESCE(f.refund_money, ''),
            COALESCE(f.refund_time, ''),
            COALESCE(a.digest, ''),
            f.unreadable
        ), 256), 32) AS basis
    FROM benefit_facts AS f
    LEFT JOIN benefit_aftersales AS a ON f.shop_id = a.shop_id AND f.order_id = a.order_id
) AS d
LEFT JOIN benefit_reviews AS v ON d.shop_id = v.shop_id AND d.order_id = v.order_id AND d.basis = v.basis;

{#- Days whose figures on dashboards change (docs/decisions/0021). -#}
{%- set day = nth(["n.deadline_at", "d.deadline_at", now ~ " + INTERVAL 8 HOUR"]) %}
INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    n.shop_id,
    IF(k.number < 3, 'deadline', 'decided') AS kind,
    DATE({{ day }}) AS day
FROM benefit_new AS n
LEFT JOIN benefit_decisions AS d ON n.shop_id = d.shop_id AND n.order_id = d.order_id
CROSS JOIN {{ numbers(3) }} AS k
WHERE {{ day }} IS NOT NULL;

INSERT INTO benefit_decision_log (
    shop_id, order_id, old_decision, new_decision, reason, observed_at, policy_id, decided_by, decided_at
)
SELECT STRAIGHT_JOIN
    n.shop_id,
    n.order_id,
    d.decision AS old_decision,
    n.decision AS new_decision,
    n.reason,
    n.observed_at,
    {{ policy_id }} AS policy_id,
    n.decided_by,
    {{ now }} AS decided_at
FROM benefit_new AS n
LEFT JOIN benefit_decisions AS d ON n.shop_id = d.shop_id AND n.order_id = d.order_id
WHERE d.decision IS NULL OR d.decision <> n.decision
ORDER BY n.shop_id, n.order_id;

{%- set decision_text = "ELT(FIELD(n.decision, 'pending', 'grant', 'revoke', 'review', 'not_applicable'),"
    " '待定', '发放', '取消', '人工复核', '不适用')" %}

{#- A decision that stays keeps its time; what it rests on and why may move on. -#}
INSERT INTO benefit_decisions (
    shop_id, order_id, decision, decision_text, reason, deadline_at, observed_at, basis, policy_id, decided_at
)
SELECT
    n.shop_id,
    n.order_id,
    n.decision,
    {{ decision_text }} AS decision_text,
    n.reason,
    n.deadline_at,
    n.observed_at,
    n.basis,
    {{ policy_id }} AS policy_id,
    {{ now }} AS decided_at
FROM benefit_new AS n
ORDER BY n.shop_id, n.order_id
ON DUPLICATE KEY UPDATE
    decided_at = IF(benefit_decisions.decision = n.decision, benefit_decisions.decided_at, {{ now }}),
    decision = n.decision,
    decision_text = {{ decision_text }},
    reason = n.reason,
    deadline_at = n.deadline_at,
    observed_at = n.observed_at,
    basis = n.basis,
    policy_id = {{ policy_id }};

DELETE q FROM benefit_queue AS q
INNER JOIN benefit_due AS d ON q.shop_id = d.shop_id AND q.order_id = d.order_id;

{#- When a refund was first decided on, for the objective: at most a month back, as far as one is measured. -#}
INSERT INTO objective_events (shop_id, objective, began_at, order_id, reached_at)
SELECT
    f.shop_id,
    'refund_decision' AS objective,
    f.refund_time AS began_at,
    f.order_id,
    {{ now }} AS reached_at
FROM benefit_facts AS f
WHERE f.refund_time > {{ now }} + INTERVAL 8 HOUR - INTERVAL 31 DAY
ON DUPLICATE KEY UPDATE reached_at = objective_events.reached_at;
