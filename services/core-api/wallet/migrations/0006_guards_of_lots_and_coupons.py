"""What PostgreSQL itself holds about promotional credit and coupons, whoever is connected.

- When a transaction commits, a lot's `remaining` is the sum of its entries, and a wallet's `promotional` is the sum of
  its lots; that this is within the balance is a CHECK. Whoever moves a lot must move the wallet's row too, so two
  transactions that do so are one after the other, and each sees what the other one did.
- An entry of a lot is never changed or deleted: by a trigger, for every role.
- The runtime role may not even try; of wallets it may change what moves, and no longer whose they are.
"""

from django.db import migrations

GUARDS = """
CREATE FUNCTION wallet_lot_entry_is_forever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of lots are never changed or deleted' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER wallet_lot_entry_is_forever BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_lotentry
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_lot_entry_is_forever();

CREATE FUNCTION wallet_lot_adds_up(lot uuid) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (
        SELECT FROM wallet_lot WHERE id = lot
           AND remaining <> (SELECT coalesce(sum(change), 0) FROM wallet_lotentry WHERE lot_id = lot)
    ) THEN
        RAISE EXCEPTION 'lot % does not hold the sum of its entries', lot USING ERRCODE = 'restrict_violation';
    END IF;
END $$;

CREATE FUNCTION wallet_lots_add_up(wallet uuid) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (
        SELECT FROM wallet_wallet WHERE account_id = wallet
           AND promotional <> (SELECT coalesce(sum(remaining), 0) FROM wallet_lot WHERE wallet_id = wallet)
    ) THEN
        RAISE EXCEPTION 'the lots of wallet % are not its promotional credit', wallet USING ERRCODE = 'restrict_violation';
    END IF;
END $$;

-- Deferred, since a posting, the wallet, the lot and its entry are statements of one transaction. They look at the rows
-- as they are then, not as the statement left them: a transaction may move a lot more than once.
CREATE FUNCTION wallet_lot_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM wallet_lot_adds_up(NEW.id);
    PERFORM wallet_lots_add_up(NEW.wallet_id);
    RETURN NULL;
END $$;

CREATE FUNCTION wallet_lot_entered() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM wallet_lot_adds_up(NEW.lot_id);
    RETURN NULL;
END $$;

CREATE FUNCTION wallet_promotional_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM wallet_lots_add_up(NEW.account_id);
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER wallet_lot_changed AFTER INSERT OR UPDATE ON wallet_lot
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wallet_lot_changed();
CREATE CONSTRAINT TRIGGER wallet_lot_entered AFTER INSERT ON wallet_lotentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wallet_lot_entered();
CREATE CONSTRAINT TRIGGER wallet_promotional_changed AFTER INSERT OR UPDATE OF promotional ON wallet_wallet
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wallet_promotional_changed();
"""

RIGHTS = """
REVOKE UPDATE, DELETE, TRUNCATE ON wallet_lot, wallet_lotentry, wallet_redemption FROM lectern_core;
GRANT UPDATE (remaining) ON wallet_lot TO lectern_core;
GRANT UPDATE (returned_at) ON wallet_redemption TO lectern_core;
REVOKE UPDATE ON wallet_wallet FROM lectern_core;
GRANT UPDATE (balance, promotional, frozen, head_seq, head_hash) ON wallet_wallet TO lectern_core;
"""

UNGUARD = """
DROP TRIGGER wallet_promotional_changed ON wallet_wallet;
DROP TRIGGER wallet_lot_entered ON wallet_lotentry;
DROP TRIGGER wallet_lot_changed ON wallet_lot;
DROP TRIGGER wallet_lot_entry_is_forever ON wallet_lotentry;
DROP FUNCTION wallet_promotional_changed();
DROP FUNCTION wallet_lot_entered();
DROP FUNCTION wallet_lot_changed();
DROP FUNCTION wallet_lots_add_up(uuid);
DROP FUNCTION wallet_lot_adds_up(uuid);
DROP FUNCTION wallet_lot_entry_is_forever();
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
    dependencies = [("wallet", "0005_lots_coupons_and_line_prices")]
    operations = [migrations.RunPython(guard, unguard)]
