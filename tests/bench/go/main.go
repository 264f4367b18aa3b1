// Two endpoints of the function `workloads` as a Go function, to measure it beside: `GET /workloads/jobs/{job}` and
// `GET /workloads/jobs`, the first page of it. The runtime's loop is written out, because Debian does not package AWS's.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

// event is a request as an HTTP API sends it, payload format 2.0.
type event struct {
	RawPath         string            `json:"rawPath"`
	Headers         map[string]string `json:"headers"`
	QueryParameters map[string]string `json:"queryStringParameters"`
	RequestContext  struct {
		HTTP struct {
			Method string `json:"method"`
		} `json:"http"`
	} `json:"requestContext"`
}

// answer is what the HTTP API makes a response of.
type answer struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type failure struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

var runtimeAPI = "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"

func main() {
	ctx := context.Background()
	app, err := newApp(ctx)
	if err != nil {
		_ = post("init/error", failure{"InitError", err.Error()})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		if err := serve(ctx, app); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// serve answers one event.
func serve(ctx context.Context, app *app) error {
	response, err := http.Get(runtimeAPI + "invocation/next")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	id := response.Header.Get("Lambda-Runtime-Aws-Request-Id")
	var request event
	if err := json.Unmarshal(body, &request); err != nil {
		return post("invocation/"+id+"/error", failure{"MalformedEvent", err.Error()})
	}
	return post("invocation/"+id+"/response", app.handle(ctx, &request))
}

func post(path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	response, err := http.Post(runtimeAPI+path, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
