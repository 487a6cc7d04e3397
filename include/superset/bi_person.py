"""Create somebody's account in Superset, or give an existing one this role and password, and open it.

    python bi_person.py NAME ROLE     # the password is a line of standard input; kept as a hash only

ROLE: 运营, 分析师, Admin, or one of SUPERSET_SHOP_ROLES.
"""

from __future__ import annotations

import sys

SHORTEST = 12
"""Characters of a password."""


def main() -> int:
    """Return the exit code."""
    name, role = sys.argv[1:]
    password = sys.stdin.readline().rstrip("\n")
    if len(password) < SHORTEST:
        print(f"password of {name}: {len(password)} characters, give {SHORTEST} or more", file=sys.stderr)
        return 1
    from superset.app import create_app

    with create_app().app_context():
        import bi_roles
        from superset import db
        from superset import security_manager as security

        if security.find_role(role) is None:
            known = ", ".join(sorted(one.name for one in security.get_all_roles()))
            print(f"role {role!r} of {name}: give one of {known}", file=sys.stderr)
            return 1
        bi_roles.add_user(name, role, name, password)
        user = security.find_user(name)
        user.active = True
        db.session.commit()
        security.reset_password(user.id, password)
    print(f"{name}: {role}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
