"""School: pictures are gathered, looked through and taught; the live half never imports it."""
