-- What each chart of the dashboards asks, for scripts/bench/marts.py: a name, a query.

-- overview: big numbers, 90 days
SELECT SUM(orders_paid), SUM(paid_amount), SUM(refund_amount), SUM(net_amount)
FROM bi_sales_daily
WHERE day >= '2026-08-22';

-- overview: big numbers, all
SELECT SUM(orders_paid), SUM(paid_amount), SUM(refund_amount), SUM(net_amount)
FROM bi_sales_daily;

-- overview: by day, all
SELECT day, SUM(paid_amount), SUM(net_amount), SUM(refund_orders_by_pay_day) / SUM(orders_paid)
FROM bi_sales_daily
GROUP BY day;

-- overview: by month and type, all
SELECT DATE_FORMAT(day, '%Y-%m-01'), product_type, SUM(paid_amount)
FROM bi_sales_daily
GROUP BY 1, 2;

-- overview: by channel and type, all
SELECT channel, product_type, SUM(paid_amount), SUM(refund_orders_by_pay_day) / SUM(orders_paid)
FROM bi_sales_daily
GROUP BY 1, 2;

-- filter: values of channel
SELECT DISTINCT channel
FROM bi_sales_daily
ORDER BY channel;

-- products: top 20, 90 days
SELECT product_name, SUM(paid_amount) AS paid, SUM(refund_orders_by_pay_day) / SUM(orders_paid)
FROM bi_products_daily
WHERE day >= '2026-08-22'
GROUP BY product_name
ORDER BY paid DESC LIMIT 20;

-- products: top 20, all
SELECT product_name, SUM(paid_amount) AS paid, SUM(refund_orders_by_pay_day) / SUM(orders_paid)
FROM bi_products_daily
GROUP BY product_name
ORDER BY paid DESC LIMIT 20;

-- products: top 20, one channel, all
SELECT product_name, SUM(paid_amount) AS paid
FROM bi_products_daily
WHERE channel = '微信'
GROUP BY product_name
ORDER BY paid DESC LIMIT 20;

-- products: one by day, all
SELECT day, SUM(paid_amount)
FROM bi_products_daily
WHERE product_name = '商品 1'
GROUP BY day;

-- buyers: by day, all
SELECT day, SUM(new_buyers), SUM(returning_buyers), SUM(new_amount)
FROM bi_buyers_daily
GROUP BY day;

-- buyers: cohorts
SELECT cohort_month, month_offset, SUM(buyers) / SUM(cohort_buyers)
FROM bi_cohorts
GROUP BY 1, 2;

-- customers: repurchase rate
SELECT SUM(CASE WHEN times > 1 THEN buyers ELSE 0 END) / SUM(buyers)
FROM bi_customers;

-- customers: by segment
SELECT segment, SUM(buyers), SUM(net_amount)
FROM bi_customers
GROUP BY segment;

-- customers: value by month of first purchase
SELECT cohort_month, month_offset, SUM(total_net_amount) / SUM(cohort_buyers)
FROM bi_ltv
GROUP BY 1, 2;

-- customers: registered to first purchase, by month, all
SELECT DATE_FORMAT(day, '%Y-%m-01'), SUM(CASE WHEN within_days <= 30 THEN users ELSE 0 END) / SUM(users)
FROM bi_registrations
GROUP BY 1;

-- customers: coupons, 90 days
SELECT discount, coupon, SUM(orders_paid), SUM(paid_amount)
FROM bi_coupons_daily
WHERE day >= '2026-08-22'
GROUP BY 1, 2;

-- customers: order sources, 90 days
SELECT order_source, SUM(orders_paid)
FROM bi_order_sources_daily
WHERE day >= '2026-08-22'
GROUP BY 1;

-- customers: reasons, 90 days
SELECT reason, SUM(aftersales)
FROM bi_refund_reasons
WHERE day >= '2026-08-22'
GROUP BY 1;

-- targets: this month
SELECT metric_text, SUM(actual) / SUM(target)
FROM bi_targets
WHERE month = '2026-11-01'
GROUP BY 1;

-- refunds: ages, all
SELECT age_days, SUM(refund_orders), SUM(refund_amount)
FROM bi_refund_ages
GROUP BY age_days;

-- refunds: curve by month, all
SELECT DATE_FORMAT(pay_week, '%Y-%m-01'), age_days, SUM(refund_orders) / SUM(paid_orders)
FROM bi_refund_curve
GROUP BY 1, 2;

-- refunds: applications by day, all
SELECT day, state, SUM(aftersales)
FROM bi_aftersales_daily
GROUP BY day, state;

-- benefits: by deadline, all
SELECT deadline_day, decision_text, SUM(orders)
FROM bi_benefits_daily
GROUP BY 1, 2;

-- benefits: changes by day, all
SELECT day, new_text, SUM(changes)
FROM bi_benefit_changes_daily
GROUP BY 1, 2;

-- benefits: now
SELECT *
FROM bi_benefits_now;

-- lives: top 20
SELECT title, view_count
FROM bi_live_streams
ORDER BY view_count DESC LIMIT 20;

-- lives: growth by day, all
SELECT day, SUM(more_views), SUM(more_reward)
FROM bi_live_daily
GROUP BY day;

-- sync: status
SELECT *
FROM bi_sync_status;

-- sync: rows by day, all
SELECT day, resource_text, SUM(staged), SUM(inserted)
FROM bi_sync_daily
GROUP BY 1, 2;

-- sync: days not covered
SELECT *
FROM bi_sync_coverage
WHERE is_covered = 0;
