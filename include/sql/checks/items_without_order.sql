{#- Lines whose order is gone. The foreign key forbids it, unless somebody switched it off. -#}
SELECT i.order_id AS finding
FROM order_items AS i
LEFT JOIN orders AS o ON i.shop_id = o.shop_id AND i.order_id = o.order_id
WHERE i.shop_id = '{{ shop_id }}' AND o.order_id IS NULL
