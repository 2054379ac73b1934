"""What people take away: reports and the audit trail."""
