"""What PostgreSQL itself holds about money, whoever is connected.

- A posting is never changed or deleted, nor are they truncated: by a trigger, for every role.
- A wallet's balance moves only together with the posting that says so, checked when the transaction commits.
- The runtime role may not even try: of what the books consist of, it may only insert (and mark a line refunded).
"""

from django.db import migrations

GUARDS = """
CREATE FUNCTION wallet_posting_is_forever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'postings are never changed or deleted' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER wallet_posting_is_forever BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_posting
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_posting_is_forever();

-- Deferred, since the posting and the wallet are two statements of one transaction. One look-up in a unique index.
CREATE FUNCTION wallet_balance_has_its_posting() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT (NEW.head_seq = 0 AND NEW.balance = 0) AND NOT EXISTS (
        SELECT FROM wallet_posting
         WHERE wallet_id = NEW.account_id AND wallet_seq = NEW.head_seq
           AND balance_after = NEW.balance AND hash = NEW.head_hash
    ) THEN
        RAISE EXCEPTION 'wallet % changed without the posting that says so', NEW.account_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER wallet_balance_has_its_posting
    AFTER INSERT OR UPDATE OF balance, head_seq, head_hash, account_id ON wallet_wallet
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wallet_balance_has_its_posting();
"""

# The tables' owner keeps its rights, the triggers above hold for it. Without the runtime role (a developer's own
# database, where one role does everything) there is nobody to take rights from.
RIGHTS = """
REVOKE UPDATE, DELETE, TRUNCATE ON wallet_account, wallet_posting, wallet_order, wallet_orderline FROM lectern_core;
REVOKE DELETE, TRUNCATE ON wallet_wallet FROM lectern_core;
GRANT UPDATE (refunded_at) ON wallet_orderline TO lectern_core;
"""

UNGUARD = """
DROP TRIGGER wallet_balance_has_its_posting ON wallet_wallet;
DROP FUNCTION wallet_balance_has_its_posting();
DROP TRIGGER wallet_posting_is_forever ON wallet_posting;
DROP FUNCTION wallet_posting_is_forever();
"""


def guard(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(GUARDS)
        cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lectern_core')")
        if cursor.fetchone()[0]:
            cursor.execute(RIGHTS)


def unguard(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(UNGUARD)


class Migration(migrations.Migration):
    dependencies = [("wallet", "0002_system_accounts")]
    operations = [migrations.RunPython(guard, unguard)]
