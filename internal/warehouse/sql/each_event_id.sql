SELECT event_id FROM event_ids
