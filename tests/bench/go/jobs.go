package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"
)

type jobRow struct {
	SK              string `json:"sk"`
	Version         uint64 `json:"version"`
	LatestRunID     string `json:"latest_run_id"`
	DueAt           string `json:"due_at"`
	LastScheduledAt string `json:"last_scheduled_at"`
	Data            struct {
		ID           string   `json:"id"`
		JobKey       string   `json:"jobKey"`
		Status       string   `json:"status"`
		Description  string   `json:"description"`
		TeamIDs      []string `json:"teamIds"`
		DraftVersion uint32   `json:"draftVersion"`
		CreatedAt    string   `json:"createdAt"`
		CreatedBy    string   `json:"createdBy"`
		UpdatedAt    string   `json:"updatedAt"`
		UpdatedBy    string   `json:"updatedBy"`
		Current      struct {
			Number         uint32         `json:"number"`
			BasedOn        uint32         `json:"basedOn"`
			ClusterID      string         `json:"clusterId"`
			Config         map[string]any `json:"config"`
			TimeoutSeconds uint32         `json:"timeoutSeconds"`
			SourceConfig   map[string]any `json:"sourceConfig"`
			DependsOn      []jobReference `json:"dependsOn"`
			Schedule       struct {
				CronExpression       string `json:"cronExpression"`
				CronTimezone         string `json:"cronTimezone"`
				ConcurrencyPolicy    string `json:"concurrencyPolicy"`
				MaxConcurrentRuns    uint32 `json:"maxConcurrentRuns"`
				MissedSchedulePolicy string `json:"missedSchedulePolicy"`
			} `json:"schedule"`
		} `json:"current"`
	} `json:"data"`
}

type jobReference struct {
	JobKey string `json:"jobKey"`
}

type jobView struct {
	ID                   string         `json:"id"`
	MemberID             string         `json:"memberId"`
	JobKey               string         `json:"jobKey"`
	Version              uint32         `json:"version"`
	CurrentVersion       uint32         `json:"currentVersion"`
	DraftVersion         uint32         `json:"draftVersion,omitempty"`
	BasedOnVersion       uint32         `json:"basedOnVersion,omitempty"`
	Status               string         `json:"status"`
	ClusterID            string         `json:"clusterId"`
	Description          string         `json:"description,omitempty"`
	Config               map[string]any `json:"config"`
	TimeoutSeconds       uint32         `json:"timeoutSeconds"`
	SourceConfig         map[string]any `json:"sourceConfig,omitempty"`
	DependsOn            []jobReference `json:"dependsOn"`
	CronExpression       string         `json:"cronExpression,omitempty"`
	CronTimezone         string         `json:"cronTimezone"`
	ConcurrencyPolicy    string         `json:"concurrencyPolicy"`
	MaxConcurrentRuns    uint32         `json:"maxConcurrentRuns"`
	MissedSchedulePolicy string         `json:"missedSchedulePolicy"`
	NextRunAt            string         `json:"nextRunAt,omitempty"`
	LastScheduledAt      string         `json:"lastScheduledAt,omitempty"`
	CreatedAt            string         `json:"createdAt"`
	CreatedBy            string         `json:"createdBy"`
	UpdatedAt            string         `json:"updatedAt"`
	UpdatedBy            string         `json:"updatedBy"`
}

type runRow struct {
	Data runView `json:"data"`
}

// runView is what an answer shows of a run; its row has more.
type runView struct {
	ID                    string         `json:"id"`
	JobID                 string         `json:"jobId"`
	JobVersion            uint32         `json:"jobVersion"`
	Status                string         `json:"status"`
	StatusMessage         string         `json:"statusMessage,omitempty"`
	Hold                  bool           `json:"hold"`
	ResourceCleanupMode   string         `json:"resourceCleanupMode"`
	Trigger               string         `json:"trigger"`
	ScheduledAt           string         `json:"scheduledAt,omitempty"`
	ReplacedBy            string         `json:"replacedBy,omitempty"`
	DispatchedAt          string         `json:"dispatchedAt,omitempty"`
	RunnerStartedAt       string         `json:"runnerStartedAt,omitempty"`
	RunnerCompletedAt     string         `json:"runnerCompletedAt,omitempty"`
	RunnerExecutionTimeUs *uint64        `json:"runnerExecutionTimeUs,omitempty"`
	FinishedAt            string         `json:"finishedAt,omitempty"`
	CleanedAt             string         `json:"cleanedAt,omitempty"`
	Results               map[string]any `json:"results,omitempty"`
	CreatedAt             string         `json:"createdAt"`
	CreatedBy             string         `json:"createdBy"`
	UpdatedAt             string         `json:"updatedAt"`
	UpdatedBy             string         `json:"updatedBy,omitempty"`
}

type teamRow struct {
	Data team `json:"data"`
}

type team struct {
	ID             string `json:"id"`
	OrganizationID string `json:"organizationId"`
	Name           string `json:"name"`
	DefaultRoleID  string `json:"defaultRoleId"`
	CreatedAt      string `json:"createdAt"`
	CreatedBy      string `json:"createdBy"`
	UpdatedAt      string `json:"updatedAt"`
	UpdatedBy      string `json:"updatedBy"`
}

type jobItem struct {
	JobID          string   `json:"jobId"`
	LatestJobRunID string   `json:"latestJobRunId,omitempty"`
	TeamIDs        []string `json:"teamIds"`
}

type jobIncluded struct {
	Jobs    []jobView `json:"jobs"`
	JobRuns []runView `json:"jobRuns"`
	Teams   []team    `json:"teams"`
}

type jobDetail struct {
	Item     jobItem     `json:"item"`
	Included jobIncluded `json:"included"`
}

type jobPage struct {
	Total    uint64      `json:"total"`
	Items    []jobItem   `json:"items"`
	Included jobIncluded `json:"included"`
	Marker   string      `json:"marker,omitempty"`
}

func (row *jobRow) item() jobItem {
	return jobItem{JobID: row.Data.ID, LatestJobRunID: row.LatestRunID, TeamIDs: row.Data.TeamIDs}
}

func (row *jobRow) view() jobView {
	job, current := &row.Data, &row.Data.Current
	return jobView{
		ID: job.ID, MemberID: job.CreatedBy, JobKey: job.JobKey, Version: current.Number, CurrentVersion: current.Number,
		DraftVersion: job.DraftVersion, BasedOnVersion: current.BasedOn, Status: job.Status, ClusterID: current.ClusterID,
		Description: job.Description, Config: current.Config, TimeoutSeconds: current.TimeoutSeconds,
		SourceConfig: current.SourceConfig, DependsOn: current.DependsOn,
		CronExpression: current.Schedule.CronExpression, CronTimezone: current.Schedule.CronTimezone,
		ConcurrencyPolicy: current.Schedule.ConcurrencyPolicy, MaxConcurrentRuns: current.Schedule.MaxConcurrentRuns,
		MissedSchedulePolicy: current.Schedule.MissedSchedulePolicy, NextRunAt: row.DueAt, LastScheduledAt: row.LastScheduledAt,
		CreatedAt: job.CreatedAt, CreatedBy: job.CreatedBy, UpdatedAt: job.UpdatedAt, UpdatedBy: job.UpdatedBy,
	}
}

// included reads the jobs' teams and latest runs in one call, and how many jobs there are in all.
func (app *app) included(ctx context.Context, organization string, jobs []jobRow) (jobIncluded, uint64, error) {
	tenant := "O#" + organization + "#"
	var teams, runs []key
	seen := map[string]bool{}
	for i := range jobs {
		row := &jobs[i]
		for _, team := range row.Data.TeamIDs {
			if !seen[team] {
				seen[team] = true
				teams = append(teams, key{tenant + "TEAMS", team})
			}
		}
		if row.LatestRunID != "" {
			runs = append(runs, key{tenant + "JOB#" + row.Data.ID + "#RUNS", row.LatestRunID})
		}
	}
	countKey := key{tenant + "SELF", "COUNT#JOBS"}
	wanted := append(append(append(make([]key, 0, len(teams)+len(runs)+1), teams...), runs...), countKey)
	result := jobIncluded{Jobs: make([]jobView, len(jobs)), JobRuns: []runView{}, Teams: []team{}}
	rows, err := app.table.batch(ctx, wanted)
	if err != nil {
		return result, 0, err
	}
	for i := range jobs {
		result.Jobs[i] = jobs[i].view()
	}
	for _, k := range runs {
		var run runRow
		found, err := rows.take(k, &run)
		if err != nil {
			return result, 0, err
		}
		if found {
			result.JobRuns = append(result.JobRuns, run.Data)
		}
	}
	for _, k := range teams {
		var team teamRow
		found, err := rows.take(k, &team)
		if err != nil {
			return result, 0, err
		}
		if found {
			result.Teams = append(result.Teams, team.Data)
		}
	}
	var count struct {
		N uint64 `json:"n"`
	}
	_, err = rows.take(countKey, &count)
	return result, count.N, err
}

// markerSecret reads what markers are sealed with.
func markerSecret(ctx context.Context, table *table) ([]byte, error) {
	var row struct {
		Data struct {
			Hex string `json:"hex"`
		} `json:"data"`
	}
	found, err := table.get(ctx, key{"MARKERS", "SECRET"}, &row)
	if err == nil && !found {
		err = errors.New("there is no secret for markers")
	}
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(row.Data.Hex)
}

// marker tells where a list goes on after a row.
func (app *app) marker(partition, last string) string {
	position, issuedAt := []string{last}, time.Now().Unix()
	sealed, _ := json.Marshal([]any{partition + "|None|false|None|None", position, issuedAt})
	mac := hmac.New(sha256.New, app.markers)
	mac.Write(sealed)
	seal := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
	text, _ := json.Marshal(map[string]any{"v": 2, "k": position, "t": issuedAt, "m": seal})
	return base64.RawURLEncoding.EncodeToString(text)
}
