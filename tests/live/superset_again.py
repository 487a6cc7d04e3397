"""Run by test_superset.py inside Superset's environment: what importing again, wrongly, and with less does."""

from __future__ import annotations

import copy
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "include" / "superset"))

import bi_apply
from bi_assets import ASSETS, Assets
from bi_bundle import MASK, bundle
from sqlalchemy.engine import make_url
from superset.app import create_app

SHOP_ROLE = os.environ["SUPERSET_SHOP_ROLES"].partition("=")[0]
uri = make_url(os.environ["BI_DATABASE_URI"])
files = bundle(Assets.read(ASSETS), uri.set(password=MASK).render_as_string(hide_password=False))

with create_app().app_context():
    import bi_roles
    from superset import security_manager as security

    def rights() -> dict[str, list[str]]:
        """Of each role."""
        names = (bi_roles.ADMIN, bi_roles.VIEWER, bi_roles.ANALYST, SHOP_ROLE, "Public")
        return {name: sorted(map(str, security.find_role(name).permissions)) for name in names}

    before, rights_before = bi_apply.counts(), rights()
    assert bi_apply.import_files(files, uri) is None
    assert list(bi_apply.prune(files)) == []
    bi_roles.set_roles()
    assert (bi_apply.counts(), rights()) == (before, rights_before)

    wrong = copy.deepcopy(files)
    wrong["charts/overview-paid.yaml"] |= {"slice_name": "changed", "colour": "red"}
    code, text = bi_apply.import_files(wrong, uri) or (0, "")
    assert code == 2, text
    assert "colour" in text, text
    assert bi_apply.counts() == before

    from superset import db
    from superset.models.slice import Slice

    assert db.session.query(Slice).filter_by(slice_name="changed").count() == 0

    fewer = {path: content for path, content in files.items() if "lives" not in path and path != "datasets/x"}
    assert bi_apply.import_files(fewer, uri) is None
    removed = list(bi_apply.prune(fewer))
    bi_roles.set_roles()
    after = bi_apply.counts()
    gone = len([path for path in files if path.startswith("charts/lives-")])
    assert len(removed) == gone + 1, removed
    assert (after["dashboards"], after["charts"]) == (before["dashboards"] - 1, before["charts"] - gone), after

print("as it should be")
