package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
)

const base = "/api/v1/workloads/jobs"

var idPattern = regexp.MustCompile(`^[A-Z0-9]{1,20}$`)

type app struct {
	table   *table
	keys    keys
	markers []byte
}

// newApp reads what requests need beside their own rows, so that the first one does not wait for it.
func newApp(ctx context.Context) (*app, error) {
	table, err := openTable(ctx, os.Getenv("MAINSHEET_TABLE"))
	if err != nil {
		return nil, err
	}
	app := &app{table: table}
	errs := make(chan error, 2)
	go func() {
		keys, err := publishedKeys(ctx, table)
		app.keys = keys
		errs <- err
	}()
	go func() {
		secret, err := markerSecret(ctx, table)
		app.markers = secret
		errs <- err
	}()
	for range [2]struct{}{} {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	return app, nil
}

func (app *app) handle(ctx context.Context, request *event) answer {
	body, headers, err := app.route(ctx, request)
	if err == nil {
		if text, err := json.Marshal(body); err == nil {
			return respond(http.StatusOK, "application/json", text, headers)
		}
	}
	refused := &problem{Status: http.StatusInternalServerError, Code: "internal"}
	if !errors.As(err, &refused) {
		fmt.Fprintln(os.Stderr, err)
	}
	text, _ := json.Marshal(refused.body())
	return respond(refused.Status, "application/problem+json", text, nil)
}

func (app *app) route(ctx context.Context, request *event) (any, map[string]string, error) {
	if request.RequestContext.HTTP.Method != http.MethodGet || !strings.HasPrefix(request.RawPath, base) {
		return nil, nil, notFound()
	}
	caller, err := app.authenticate(ctx, request.Headers)
	if err != nil {
		return nil, nil, err
	}
	switch rest := request.RawPath[len(base):]; {
	case rest == "":
		page, err := app.list(ctx, caller, request.QueryParameters["limit"])
		return page, nil, err
	case strings.HasPrefix(rest, "/") && idPattern.MatchString(rest[1:]):
		return app.show(ctx, caller, rest[1:])
	}
	return nil, nil, notFound()
}

func (app *app) show(ctx context.Context, caller *caller, id string) (any, map[string]string, error) {
	var row jobRow
	found, err := app.table.get(ctx, key{"O#" + caller.organization + "#JOBS", id}, &row)
	if err != nil {
		return nil, nil, err
	}
	if !found {
		return nil, nil, notFound()
	}
	if err := caller.requireToViewInAny(row.Data.TeamIDs); err != nil {
		return nil, nil, err
	}
	included, _, err := app.included(ctx, caller.organization, []jobRow{row})
	detail := jobDetail{Item: row.item(), Included: included}
	return detail, map[string]string{"etag": fmt.Sprintf("%q", strconv.FormatUint(row.Version, 10))}, err
}

func (app *app) list(ctx context.Context, caller *caller, limitText string) (any, error) {
	if err := caller.requireToView(); err != nil {
		return nil, err
	}
	limit := 100
	if limitText != "" {
		parsed, err := strconv.Atoi(limitText)
		if err != nil || parsed < 1 || parsed > 100 {
			return nil, &problem{Status: http.StatusBadRequest, Code: "malformed"}
		}
		limit = parsed
	}
	partition := "O#" + caller.organization + "#JOBS"
	var rows []jobRow
	// One more than asked for tells whether there is a next page.
	if err := app.table.first(ctx, partition, limit+1, &rows); err != nil {
		return nil, err
	}
	page := jobPage{}
	if len(rows) > limit {
		rows = rows[:limit]
		page.Marker = app.marker(partition, rows[limit-1].SK)
	}
	included, total, err := app.included(ctx, caller.organization, rows)
	page.Total, page.Included, page.Items = total, included, make([]jobItem, len(rows))
	for i := range rows {
		page.Items[i] = rows[i].item()
	}
	return page, err
}

func respond(status int, contentType string, body []byte, headers map[string]string) answer {
	all := map[string]string{"content-type": contentType, "x-request-id": requestID()}
	for name, value := range headers {
		all[name] = value
	}
	return answer{StatusCode: status, Headers: all, Body: string(body)}
}

func requestID() string {
	var octets [16]byte
	_, _ = rand.Read(octets[:])
	return hex.EncodeToString(octets[:])
}

// problem is an error as RFC 9457 has it.
type problem struct {
	Status int
	Code   string
}

func (p *problem) Error() string { return p.Code }

func notFound() error { return &problem{Status: http.StatusNotFound, Code: "not_found"} }

func (p *problem) body() map[string]any {
	title := http.StatusText(p.Status)
	return map[string]any{
		"type": "about:blank", "title": title, "status": p.Status, "detail": title, "code": p.Code, "message": title,
		"details": map[string]any{"retryable": false},
	}
}
