package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt"
)

const (
	relation = "CanViewJobs"
	// Seconds that clocks may differ.
	leeway = 60
	// Nothing that is issued is longer.
	longestToken = 4096
	timeFormat   = "2006-01-02T15:04:05.000Z"
)

// Roles that have `CanViewJobs` over the organization, and over a team.
var (
	viewers     = map[string]bool{"OWNER": true, "EMERGENCY": true, "ADMIN": true, "AUDITOR": true}
	teamViewers = map[string]bool{"TEAMADMIN": true, "EDITOR": true, "VIEWER": true}
)

// keys are those that access tokens are signed with, by their ids.
type keys map[string]ed25519.PublicKey

func publishedKeys(ctx context.Context, table *table) (keys, error) {
	var rows []struct {
		Data struct {
			KID     string `json:"kid"`
			X       string `json:"x"`
			Purpose string `json:"purpose"`
		} `json:"data"`
	}
	if err := table.first(ctx, "SIGNING_KEYS", 101, &rows); err != nil {
		return nil, err
	}
	published := keys{}
	for _, row := range rows {
		if row.Data.Purpose != "access" {
			continue
		}
		octets, err := base64.RawURLEncoding.DecodeString(row.Data.X)
		if err != nil {
			return nil, err
		}
		published[row.Data.KID] = octets
	}
	return published, nil
}

type claims struct {
	Issuer       string `json:"iss"`
	Audience     string `json:"aud"`
	IssuedAt     int64  `json:"iat"`
	ExpiresAt    int64  `json:"exp"`
	User         string `json:"sub"`
	Login        string `json:"sid"`
	Organization string `json:"org"`
	Confirmation *struct {
		JKT string `json:"jkt"`
	} `json:"cnf"`
}

// Valid is asked once the signature was found right.
func (c *claims) Valid() error {
	now := time.Now().Unix()
	isOurs := c.Issuer == "mainsheet" && c.Audience == "mainsheet-api" && c.User != "" && c.Login != ""
	if !isOurs || c.ExpiresAt <= now || c.IssuedAt == 0 || c.IssuedAt > now+leeway {
		return errors.New("a token for somebody else or another time")
	}
	return nil
}

func (k keys) find(token *jwt.Token) (any, error) {
	for _, name := range [...]string{"jwk", "jku", "x5u", "x5c", "crit"} {
		if _, brings := token.Header[name]; brings {
			return nil, errors.New("a token with keys of its own")
		}
	}
	kid, _ := token.Header["kid"].(string)
	if public, known := k[kid]; known && token.Header["typ"] == "at+jwt" {
		return public, nil
	}
	return nil, errors.New("a token of another type, or with an unknown key")
}

var parser = jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}))

func (k keys) check(authorization string) (*claims, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	claims := &claims{}
	if !strings.EqualFold(scheme, "bearer") || len(token) > longestToken {
		return nil, unauthenticated()
	}
	if _, err := parser.ParseWithClaims(token, claims, k.find); err != nil {
		return nil, unauthenticated()
	}
	return claims, nil
}

func unauthenticated() error {
	return &problem{Status: http.StatusUnauthorized, Code: "unauthenticated"}
}

type loginRow struct {
	Data struct {
		ID           string `json:"id"`
		Epoch        uint64 `json:"epoch"`
		ExpiresAt    string `json:"expiresAt"`
		SingleSignOn *struct {
			OrganizationID string `json:"organizationId"`
		} `json:"singleSignOn"`
	} `json:"data"`
}

type accessRow struct {
	Data struct {
		LoginEpoch  uint64                `json:"loginEpoch"`
		SparedLogin string                `json:"sparedLogin"`
		Memberships map[string]membership `json:"memberships"`
	} `json:"data"`
}

type membership struct {
	Roles          []string            `json:"roles"`
	Seats          map[string][]string `json:"seats"`
	IsEnabled      bool                `json:"isEnabled"`
	Grants         *grants             `json:"grants"`
	EmergencyUntil string              `json:"emergencyUntil"`
}

type grants struct {
	Permissions []string `json:"permissions"`
	ExpiresAt   string   `json:"expiresAt"`
}

type organizationRow struct {
	Data struct {
		Settings struct {
			Auth struct {
				RequireDPoP bool `json:"requireDpop"`
			} `json:"auth"`
		} `json:"settings"`
	} `json:"data"`
}

func (g *grants) gives(now string) bool {
	if g == nil || g.ExpiresAt != "" && g.ExpiresAt <= now {
		return false
	}
	for _, permission := range g.Permissions {
		if permission == relation {
			return true
		}
	}
	return false
}

func (a *accessRow) keepsAlive(login *loginRow, now string) bool {
	isSpared := a.Data.SparedLogin == login.Data.ID
	return login.Data.ExpiresAt > now && (isSpared || login.Data.Epoch == a.Data.LoginEpoch)
}

// caller is somebody in an organization's name.
type caller struct {
	organization string
	views        bool
	seats        map[string][]string
}

// authenticate checks the token, and reads login, access, organization and its policies in one call.
func (app *app) authenticate(ctx context.Context, headers map[string]string) (*caller, error) {
	claims, err := app.keys.check(headers["authorization"])
	if err != nil {
		return nil, err
	}
	organization := headers["lakesail-organization-id"]
	if organization == "" {
		organization = claims.Organization
	}
	user, home := "U#"+claims.User, "O#"+organization+"#SELF"
	loginKey, accessKey := key{user, "LOGIN#" + claims.Login}, key{user, "ACCESS"}
	organizationKey, grantsKey := key{home, "ORGANIZATION"}, key{home, "TEAM_GRANTS"}
	wanted := []key{loginKey, accessKey}
	if organization != "" {
		wanted = append(wanted, organizationKey, grantsKey)
	}
	rows, err := app.table.batch(ctx, wanted)
	if err != nil {
		return nil, err
	}
	var login loginRow
	var access accessRow
	var settings organizationRow
	hasLogin, err := rows.take(loginKey, &login)
	if err != nil {
		return nil, err
	}
	hasAccess, err := rows.take(accessKey, &access)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Format(timeFormat)
	if !hasLogin || !hasAccess || !access.keepsAlive(&login, now) {
		return nil, unauthenticated()
	}
	if organization == "" {
		return nil, &problem{Status: http.StatusBadRequest, Code: "organization_required"}
	}
	isThere, err := rows.take(organizationKey, &settings)
	if err != nil {
		return nil, err
	}
	membership, belongs := access.Data.Memberships[organization]
	session := login.Data.SingleSignOn
	if !belongs || !membership.IsEnabled || !isThere || session != nil && session.OrganizationID != organization {
		return nil, notFound()
	}
	if settings.Data.Settings.Auth.RequireDPoP && claims.Confirmation == nil {
		return nil, unauthenticated()
	}
	views, err := membership.views(rows[grantsKey], now)
	return &caller{organization, views, membership.Seats}, err
}

// views tells whether a member may see all jobs of the organization.
func (m *membership) views(ofTeams item, now string) (bool, error) {
	for _, role := range m.Roles {
		if viewers[role] && (role != "EMERGENCY" || m.EmergencyUntil > now) {
			return true, nil
		}
	}
	if m.Grants.gives(now) {
		return true, nil
	}
	for team := range m.Seats {
		given, found := ofTeams["T#"+team]
		if !found {
			continue
		}
		var grants struct {
			Grants grants `json:"grants"`
		}
		if err := unmarshal(item{"grants": given}, &grants); err != nil {
			return false, err
		}
		if grants.Grants.gives(now) {
			return true, nil
		}
	}
	return false, nil
}

func (c *caller) requireToView() error {
	if c.views {
		return nil
	}
	return &problem{Status: http.StatusForbidden, Code: "permission_missing"}
}

func (c *caller) requireToViewInAny(teams []string) error {
	if c.views {
		return nil
	}
	for _, team := range teams {
		for _, role := range c.seats[team] {
			if teamViewers[role] {
				return nil
			}
		}
	}
	return notFound()
}
