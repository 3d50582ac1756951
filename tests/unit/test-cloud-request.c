/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "controller/cloud/request.h"

static const char *
name_of (enum osm_retry what)
{
  return what == OSM_RETRY_NO ? "no" : what == OSM_RETRY_WAIT ? "wait" : "token";
}

#define NS OSM_HTTP_NOT_SENT
#define UN OSM_HTTP_UNKNOWN
#define HL OSM_HTTP_HOPELESS

TEST (the_retry_table)
{
  static const struct {
    const char *method;
    int status;
    enum osm_http_loss loss;
    double retry_after_s;
    unsigned attempt;
    bool renewed;
    const char *what;
    uint64_t delay_ms;
  } rows[] = {
    /* Answers that are final. */
    { "GET", 400, UN, -1, 0, false, "no", 0 },
    { "GET", 403, UN, -1, 0, false, "no", 0 },
    { "GET", 404, UN, -1, 0, false, "no", 0 },
    { "DELETE", 409, UN, -1, 0, false, "wait", 250 },
    { "POST", 409, UN, -1, 1, false, "wait", 500 },
    { "POST", 409, UN, -1, 2, false, "no", 0 },
    { "GET", 302, UN, -1, 0, false, "wait", 250 },
    { "GET", 302, UN, -1, 3, false, "no", 0 },
    { "POST", 302, UN, -1, 0, false, "no", 0 },
    { "GET", 501, UN, -1, 0, false, "no", 0 },
    { "GET", 300, UN, -1, 0, false, "no", 0 },
    /* The token, once. */
    { "POST", 401, UN, -1, 0, false, "token", 0 },
    { "GET", 401, UN, -1, 8, false, "token", 0 },
    { "GET", 401, UN, -1, 1, true, "no", 0 },
    /* The service did not take it: any method. */
    { "POST", 429, UN, -1, 0, false, "wait", 250 },
    { "POST", 503, UN, -1, 1, false, "wait", 500 },
    { "PATCH", 503, UN, 2, 0, false, "wait", 2000 },
    { "GET", 503, UN, 0.5, 0, false, "wait", 500 },
    { "GET", 429, UN, 0, 3, false, "wait", 2000 },
    { "GET", 429, UN, 3600, 0, false, "wait", 60000 },
    /* A rate limit, and a quota. */
    { "POST", 413, UN, 5, 0, false, "wait", 5000 },
    { "POST", 413, UN, 0, 0, false, "no", 0 },
    { "POST", 413, UN, -1, 0, false, "no", 0 },
    /* It may have been done. */
    { "GET", 500, UN, -1, 0, false, "wait", 250 },
    { "DELETE", 502, UN, -1, 0, false, "wait", 250 },
    { "PUT", 504, UN, -1, 0, false, "wait", 250 },
    { "POST", 500, UN, -1, 0, false, "no", 0 },
    { "POST", 502, UN, -1, 0, false, "no", 0 },
    { "PATCH", 504, UN, -1, 0, false, "no", 0 },
    /* No answer. */
    { "GET", 0, UN, -1, 0, false, "wait", 250 },
    { "DELETE", 0, UN, -1, 2, false, "wait", 1000 },
    { "POST", 0, UN, -1, 0, false, "no", 0 },
    { "POST", 0, NS, -1, 0, false, "wait", 250 },
    { "GET", 0, HL, -1, 0, false, "no", 0 },
    { "GET", 0, OSM_HTTP_TOO_LARGE, -1, 0, false, "no", 0 },
    /* Patience ends. */
    { "GET", 503, UN, -1, 7, false, "wait", 8000 },
    { "GET", 503, UN, 1, 8, false, "no", 0 },
    { "POST", 0, NS, -1, 8, false, "no", 0 },
    { "GET", 500, UN, -1, 2, false, "wait", 1000 },
    { "GET", 500, UN, -1, 3, false, "no", 0 },
  };

  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    uint64_t delay_ms = 0;
    enum osm_retry what =
        osm_request_retry (rows[i].method, rows[i].status, rows[i].loss, rows[i].retry_after_s,
                           rows[i].attempt, rows[i].renewed, &delay_ms);

    if (strcmp (name_of (what), rows[i].what) != 0 || delay_ms != rows[i].delay_ms)
      fail_msg ("row %zu (%s %d): %s after %llu ms", i, rows[i].method, rows[i].status,
                name_of (what), (unsigned long long)delay_ms);
  }
}

TEST (jitter_stays_within_a_quarter)
{
  bool below = false, above = false;

  for (int i = 0; i < 1000; i++) {
    uint64_t ms = osm_request_jitter (1000);

    assert_in_range (ms, 750, 1250);
    below |= ms < 1000;
    above |= ms > 1000;
  }
  assert_true (below && above);
  assert_int_equal (osm_request_jitter (0), 0);
}

static void
assert_message (const char *body, const char *expected)
{
  OSM_CLEANUP_FREE char *message = osm_request_error_message (body, strlen (body));

  if (!osm_str_equal (message, expected))
    fail_msg ("message of %s is: %s", body, message ? message : "(none)");
}

/* As recorded from Zed. */

TEST (messages_of_nova)
{
  assert_message (
      "{\"itemNotFound\": {\"code\": 404, \"message\": \"Instance xyz could not be found.\"}}",
      "Instance xyz could not be found.");
  assert_message ("{\"badRequest\": {\"code\": 400, \"message\": \"Invalid input for "
                  "field/attribute server. Value: "
                  "{'name': 'x'}. 'flavorRef' is a required property\"}}",
                  "Invalid input for field/attribute server. Value: {'name': 'x'}. 'flavorRef' is "
                  "a required property");
  assert_message ("{\"computeFault\": {\"code\": 406, \"message\": \"Version 2.999 is not "
                  "supported by the API. "
                  "Minimum is 2.1 and maximum is 2.93.\"}}",
                  "Version 2.999 is not supported by the API. Minimum is 2.1 and maximum is 2.93.");
  assert_message ("{\"computeFault\": {\"code\": 500, \"message\": \"Unexpected API "
                  "Error.\\n<class 'x.Timeout'>\"}}",
                  "Unexpected API Error. <class 'x.Timeout'>");
}

TEST (messages_of_keystone)
{
  assert_message (
      "{\"error\":{\"code\":401,\"message\":\"The request you have made requires authentication.\","
      "\"title\":\"Unauthorized\"}}\n",
      "The request you have made requires authentication.");
  assert_message ("{\"error\":{\"code\":400,\"message\":\"'identity' is a required "
                  "property\\n\\nFailed validating "
                  "'required' in schema:\\n    {'properties': ...\"}}",
                  "'identity' is a required property");
}

TEST (messages_of_neutron)
{
  assert_message ("{\"NeutronError\": {\"type\": \"NetworkNotFound\", \"message\": \"Network xyz "
                  "could not be found.\", "
                  "\"detail\": \"\"}}",
                  "Network xyz could not be found.");
  assert_message ("{\"NeutronError\": \"Request Failed: internal server error while processing "
                  "your request.\"}",
                  "Request Failed: internal server error while processing your request.");
  assert_message ("{\"code\": 404, \"title\": \"Not Found\", \"description\": null}", "Not Found");
  assert_message (
      "{\"debuginfo\": null, \"faultcode\": \"Client\", \"faultstring\": \"Unknown attribute\"}",
      "Unknown attribute");
}

TEST (messages_of_cinder)
{
  assert_message ("{\"overLimit\": {\"code\": 413, \"message\": \"VolumeSizeExceedsAvailableQuota: "
                  "Requested volume or "
                  "snapshot exceeds allowed gigabytes quota.\", \"retryAfter\": \"0\"}}",
                  "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed "
                  "gigabytes quota.");
}

TEST (messages_of_glance)
{
  assert_message ("{\"message\": \"No image found with ID xyz<br /><br />\\n\\n\\n\", \"code\": "
                  "\"404 Not Found\", "
                  "\"title\": \"Not Found\"}",
                  "No image found with ID xyz");
  assert_message ("<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 "
                  "Not Found</h1>\n"
                  "  No image found with ID xyz<br /><br />\n\n\n\n </body>\n</html>",
                  "404 Not Found No image found with ID xyz");
}

TEST (messages_of_placement)
{
  assert_message ("{\"errors\": [{\"status\": 404, \"title\": \"Not Found\", \"detail\": \"No such "
                  "provider\"}]}",
                  "No such provider");
}

TEST (messages_of_proxies)
{
  assert_message ("<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle "
                  "this request.\n"
                  "</body></html>",
                  "503 Service Unavailable No server is available to handle this request.");
  assert_message ("<HTML><HEAD><TITLE>Bad Gateway</TITLE></HEAD>", "Bad Gateway");
  assert_message ("upstream connect error\r\nor reset", "upstream connect error or reset");
}

TEST (a_long_page_is_its_title)
{
  OSM_STRBUF (page);

  osm_strbuf_add (&page, "<html><title>Oops</title><body>");
  for (int i = 0; i < 200; i++)
    osm_strbuf_add (&page, "much text ");
  assert_message (osm_strbuf_str (&page), "Oops");
}

TEST (bodies_that_say_nothing)
{
  assert_message ("", NULL);
  assert_message ("{}", NULL);
  assert_message ("[]", NULL);
  assert_message ("{\"error\": {}}", NULL);
  assert_message ("{\"error\": {\"message\"", NULL);
  assert_message (" \r\n", NULL);
  assert_message ("<", NULL);
  assert_message ("<html><body></body></html>", NULL);
}

TEST (a_message_cannot_drive_a_terminal)
{
  assert_message ("{\"error\": {\"message\": \"a\\u001b[2J\\u0007b\\r\\nc\"}}", "a [2J b c");
}

TEST (a_message_has_an_end)
{
  OSM_STRBUF (b);
  OSM_CLEANUP_FREE char *message = NULL;

  osm_strbuf_add (&b, "{\"message\": \"");
  for (int i = 0; i < 100000; i++)
    osm_strbuf_add (&b, "x");
  osm_strbuf_add (&b, "\"}");
  message = osm_request_error_message (b.s, b.len);
  assert_int_equal (strlen (message), 1000);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_retry_table),
    cmocka_unit_test (jitter_stays_within_a_quarter),
    cmocka_unit_test (messages_of_nova),
    cmocka_unit_test (messages_of_keystone),
    cmocka_unit_test (messages_of_neutron),
    cmocka_unit_test (messages_of_cinder),
    cmocka_unit_test (messages_of_glance),
    cmocka_unit_test (messages_of_placement),
    cmocka_unit_test (messages_of_proxies),
    cmocka_unit_test (a_long_page_is_its_title),
    cmocka_unit_test (bodies_that_say_nothing),
    cmocka_unit_test (a_message_cannot_drive_a_terminal),
    cmocka_unit_test (a_message_has_an_end),
  };

  return cmocka_run_group_tests_name ("cloud/request", tests, NULL, NULL);
}
