// A program that uses the Go client which openapi-generator generates; it prints what it met, as JSON.
//
// Run as `client ADDRESS KEY`. client.py and client.ts beside it do the same, and print the same.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"clients/dateline"
)

const timeline = "generated-go"

func main() {
	address, key := os.Args[1], os.Args[2]
	configuration := dateline.NewConfiguration()
	configuration.Servers = dateline.ServerConfigurations{{URL: address}}
	client := dateline.NewAPIClient(configuration)
	with := context.WithValue(context.Background(), dateline.ContextAccessToken, key)

	story := dateline.NewTimelineBody(timeline, "A story")
	_, _, err := client.TimelinesAPI.CreateTimeline(with).TimelineBody(*story).Execute()
	check(err)

	body := dateline.NewEventBody("They meet", "2013-02", dateline.PLANNED)
	event, answer, err := client.EventsAPI.CreateEvent(with, timeline).EventBody(*body).Execute()
	check(err)
	tag := answer.Header.Get("ETag")

	found := func(certainty dateline.Certainty) int {
		asked := client.EventsAPI.ListEvents(with, timeline).Datetime("2013-02-25").Certainty(certainty)
		page, _, err := asked.Execute()
		check(err)
		return len(page.Items)
	}
	amend := func() (*dateline.Event, error) {
		patch := dateline.NewEventPatch()
		patch.SetWhen("2013-02-25")
		patch.SetSummaryNil()
		patch.SetReason("The day was named.")
		amended, _, err := client.EventsAPI.AmendEvent(with, timeline, event.Id).IfMatch(tag).EventPatch(*patch).Execute()
		return amended, err
	}

	before := []int{found(dateline.POSSIBLE), found(dateline.CERTAIN)}
	amended, err := amend()
	check(err)
	after := []int{found(dateline.POSSIBLE), found(dateline.CERTAIN)}

	page, _, err := client.HistoryAPI.ListHistory(with, timeline, event.Id).Execute()
	check(err)
	history := [][]any{}
	for _, one := range page.Items {
		history = append(history, []any{one.Version, one.Reason.Get()})
	}

	_, err = amend()
	stale := problem(err)
	_, _, err = client.EventsAPI.PutEvent(with, timeline, event.Id).EventBody(*body).IfNoneMatch("*").Execute()
	taken := problem(err)
	odd := dateline.NewEventBody("They meet", "2013-02-30", dateline.PLANNED)
	_, _, err = client.EventsAPI.CreateEvent(with, timeline).EventBody(*odd).Execute()
	refused := problem(err)
	pointers := []*string{}
	for _, one := range refused.Errors {
		pointers = append(pointers, one.Pointer)
	}

	creation := dateline.NewCreationBody("create", *body)
	operations := []dateline.BatchOperation{dateline.CreationBodyAsBatchOperation(creation)}
	batch := dateline.NewBatchBody(operations)
	done, _, err := client.EventsAPI.CreateBatch(with, timeline).BatchBody(*batch).Execute()
	check(err)
	statuses := []any{}
	for _, one := range done.Items {
		statuses = append(statuses, one.Status)
	}

	met := map[string]any{
		"status":  amended.Status,
		"dates":   []string{amended.Previously[0].When, amended.When},
		"found":   [][]int{before, after},
		"history": history,
		"stale":   []any{stale.Status, stale.Type, stale.Current["version"]},
		"taken":   []any{taken.Status, taken.Type, taken.Current["version"]},
		"refused": []any{refused.Status, refused.Type, pointers},
		"batch":   statuses,
	}
	check(json.NewEncoder(os.Stdout).Encode(met))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// problem narrows an error to what the service said.
func problem(err error) dateline.Problem {
	var refusal *dateline.GenericOpenAPIError
	if errors.As(err, &refusal) {
		if told, ok := refusal.Model().(dateline.Problem); ok {
			return told
		}
	}
	panic(err)
}
