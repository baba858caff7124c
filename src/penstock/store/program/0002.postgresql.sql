-- Every process hears of every change of a run, whoever made it; equal messages of one transaction arrive once.
CREATE FUNCTION notify_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('penstock', 'run ' || NEW.id);
    IF TG_OP = 'INSERT' OR OLD.state <> NEW.state THEN
        PERFORM pg_notify('penstock', 'queue');
    END IF;
    IF NEW.cancel_asked AND NEW.state = 'running' THEN
        PERFORM pg_notify('penstock', 'cancel ' || NEW.id);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER run_inserted AFTER INSERT ON run FOR EACH ROW EXECUTE FUNCTION notify_run();

CREATE TRIGGER run_changed AFTER UPDATE ON run FOR EACH ROW
WHEN (
    OLD.state <> NEW.state OR OLD.progress <> NEW.progress OR OLD.cancel_asked <> NEW.cancel_asked
    OR OLD.message IS DISTINCT FROM NEW.message
)
EXECUTE FUNCTION notify_run();

CREATE FUNCTION notify_pause() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('penstock', 'paused');
    RETURN NULL;
END
$$;

CREATE TRIGGER provider_paused AFTER UPDATE ON provider_budget FOR EACH ROW
WHEN (OLD.paused_until <> NEW.paused_until) EXECUTE FUNCTION notify_pause();
