// How a range of days is said in Chinese; patch_pages.py puts it into Superset's pages. NAMES: Superset's words → ours.
((names) => {
  const units = { second: "秒", minute: "分钟", hour: "小时", day: "天", week: "周", month: "个月", quarter: "个季度", year: "年" };
  const isDay = (end) => /^\d{4}-\d\d-\d\d(T00:00:00)?$/.test(end);
  const day = (end) => end.slice(0, 10);
  const dayBefore = (end) => new Date(Date.parse(`${day(end)}T00:00:00Z`) - 864e5).toISOString().slice(0, 10);
  const moment = (end) => {
    const [, base, number, unit] = /^DATEADD\(DATETIME\("([^"]+)"\), (-?\d+), (\w+)\)$/.exec(end) || [];
    if (base && units[unit]) return `${moment(base)}${number < 0 ? "前" : "后"} ${Math.abs(number)} ${units[unit]}`;
    return { today: "今天", now: "现在" }[end] || end.replace("T00:00:00", "").replace("T", " ");
  };
  // Of two ends, the second not included: days as days, everything else from … until before ….
  const ends = (since, until) => {
    if (isDay(since) && isDay(until)) {
      const last = dayBefore(until);
      return day(since) === last ? last : `${day(since)} 至 ${last}`;
    }
    return [since && `${moment(since)} 起`, until && `${moment(until)} 前`].filter(Boolean).join("，") || "不限";
  };
  const range = (text) => names[text] || (/^\S.* : .*\S$/.test(text) ? ends(...text.split(" : ")) : text);
  return { ends, range };
})(NAMES)
