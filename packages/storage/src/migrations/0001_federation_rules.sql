-- The states a grant may go through, whoever writes: revoked and expired are final.
CREATE FUNCTION federation_grants_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.status, NEW.status) IN (
    ('pending', 'active'), ('pending', 'revoked'), ('pending', 'expired'),
    ('active', 'suspended'), ('active', 'revoked'), ('active', 'expired'),
    ('suspended', 'active'), ('suspended', 'revoked'), ('suspended', 'expired')
  ) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a grant that is % cannot become %', OLD.status, NEW.status
    USING ERRCODE = 'check_violation', CONSTRAINT = 'federation_grants_transition', TABLE = 'federation_grants';
END $$;
--> statement-breakpoint
CREATE TRIGGER federation_grants_transition BEFORE UPDATE OF status ON federation_grants
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION federation_grants_transition();
--> statement-breakpoint
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
    USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only', TABLE = TG_TABLE_NAME;
END $$;
--> statement-breakpoint
CREATE TRIGGER federation_audit_log_append_only BEFORE DELETE ON federation_audit_log
  FOR EACH ROW EXECUTE FUNCTION append_only();
--> statement-breakpoint
-- A row of the audit log gets its place in the chain once, and nothing else of it ever changes.
CREATE TRIGGER federation_audit_log_chained_once BEFORE UPDATE ON federation_audit_log
  FOR EACH ROW WHEN (
    OLD.position IS NOT NULL OR NEW.position IS NULL
    OR to_jsonb(OLD) - 'position' - 'hash' IS DISTINCT FROM to_jsonb(NEW) - 'position' - 'hash'
  ) EXECUTE FUNCTION append_only();
--> statement-breakpoint
CREATE TRIGGER federation_grant_scopes_append_only BEFORE UPDATE OR DELETE ON federation_grant_scopes
  FOR EACH ROW EXECUTE FUNCTION append_only();
--> statement-breakpoint
CREATE TRIGGER federation_audit_log_not_truncated BEFORE TRUNCATE ON federation_audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION append_only();
--> statement-breakpoint
CREATE TRIGGER federation_grant_scopes_not_truncated BEFORE TRUNCATE ON federation_grant_scopes
  FOR EACH STATEMENT EXECUTE FUNCTION append_only();
