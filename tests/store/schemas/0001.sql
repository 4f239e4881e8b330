BEGIN TRANSACTION;
CREATE TABLE admission (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	asked_at_ms BIGINT, 
	admitted_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_admission PRIMARY KEY (pledge_id, network_id), 
	CONSTRAINT fk_admission_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_admission_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE context (
	id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	credential_id INTEGER NOT NULL, 
	id_context BLOB NOT NULL, 
	aead INTEGER NOT NULL, 
	wrapped_keys BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_context PRIMARY KEY (id), 
	CONSTRAINT fk_context_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_context_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
INSERT INTO "context" VALUES(1,1,1,X'00124B0000000001',10,X'010000000230A5144F72A73E7606A0A106CC6AA6E18EB6D72560307810488590AD33B5EFC0EAED37ACF8847CF3730B53CA5DFE78B31E03122AB2EB670BA462CCF2F6FEC305CDD0DF12E5901FDDCC1DD7DB96',1796000000000);
INSERT INTO "context" VALUES(2,2,2,X'00124B0000000002',10,X'01000000028CC6D774FC390CD519B2C7E3B80B153319011A1E627933DDCBCEDB29B5DA373F6F58E3055B0D1DA380058813FB9EA8334EB2191292B4C841A980F0CD0FFB7C7E8EED73C36630CB33128EFF596F',1796000000000);
INSERT INTO "context" VALUES(3,3,3,X'00124B0000000003',10,X'',1796000000000);
CREATE TABLE context_kid (
	kid_context BLOB NOT NULL, 
	context_id INTEGER NOT NULL, 
	CONSTRAINT pk_context_kid PRIMARY KEY (kid_context, context_id), 
	CONSTRAINT fk_context_kid_context_id_context FOREIGN KEY(context_id) REFERENCES context (id)
);
INSERT INTO "context_kid" VALUES(X'00124B0000000001',1);
INSERT INTO "context_kid" VALUES(X'00124B0000000002',2);
CREATE TABLE context_state (
	context_id INTEGER NOT NULL, 
	highest BIGINT NOT NULL, 
	seen BIGINT NOT NULL, 
	numbers_reserved BIGINT NOT NULL, 
	needs_recovery INTEGER NOT NULL, 
	request_digest BLOB, 
	answer BLOB, 
	answered_at_ms BIGINT, 
	answer_peer BLOB, 
	answer_generation_id INTEGER, 
	joined_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_context_state PRIMARY KEY (context_id), 
	CONSTRAINT ck_context_state_numbers CHECK (numbers_reserved BETWEEN 0 AND 1099511627776), 
	CONSTRAINT fk_context_state_context_id_context FOREIGN KEY(context_id) REFERENCES context (id)
);
INSERT INTO "context_state" VALUES(1,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'45AEFAEB181C678036E81C7E6757D54F');
INSERT INTO "context_state" VALUES(2,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'B1EB0DA64F32880771D6D6B9898ACEC7');
INSERT INTO "context_state" VALUES(3,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'85A5E8DD6D506C36A74522B1339EAC9B');
CREATE TABLE credential (
	id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	wrapped_secret BLOB, 
	aead INTEGER NOT NULL, 
	hkdf INTEGER NOT NULL, 
	provenance VARCHAR(32) NOT NULL, 
	source TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	import_id INTEGER, 
	psk_fingerprint BLOB, 
	sender_fingerprint BLOB NOT NULL, 
	recipient_fingerprint BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_credential PRIMARY KEY (id), 
	CONSTRAINT ck_credential_kind CHECK (kind IN ('psk', 'derived')), 
	CONSTRAINT ck_credential_state CHECK (state IN ('staged','current','candidate','superseded','removed')), 
	CONSTRAINT fk_credential_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_credential_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id), 
	CONSTRAINT uq_credential_psk_fingerprint UNIQUE (psk_fingerprint), 
	CONSTRAINT uq_credential_recipient_fingerprint UNIQUE (recipient_fingerprint), 
	CONSTRAINT uq_credential_sender_fingerprint UNIQUE (sender_fingerprint)
);
INSERT INTO "credential" VALUES(1,1,'psk',X'0100000001D536687BC6F266CD7639766D4BC1AC6188B878E73519CA03C24DE8A176B7DB052265ECF536D92BFFCC276959',10,-10,'operator','','current',NULL,X'5D736B346A501E935339EA605AE46572',X'48A46E6282490FF8E8B878E6034043F2',X'1EAE0B2FB6563F8665D9769F26D721AC',1796000000000,NULL);
INSERT INTO "credential" VALUES(2,2,'psk',X'010000000148315D989CF24A02F3625B9C98E474ED9EFC1DBA6D0793AC0738C4E729EA35AE1C94964DE1670DF2F056FA52',10,-10,'operator','','current',NULL,X'FEE730496C5F366F0919151611BDCBE2',X'F356A232FD9A720705E888F62ECBF6EA',X'7FE1BC6DC2D104BA1476C89062E62733',1796000000000,NULL);
INSERT INTO "credential" VALUES(3,3,'psk',NULL,10,-10,'operator','','removed',NULL,X'9604B00B94353B62462DF6C63A6D9D99',X'62CAFE6EF751F430C0E8CFDE2413315F',X'3DC226D3794CA969395C3772D8F1897C',1796000000000,1796000000000);
CREATE TABLE data_key (
	id INTEGER NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	kek_id BLOB NOT NULL, 
	wrapped BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_data_key PRIMARY KEY (id)
);
INSERT INTO "data_key" VALUES(1,'credential',X'8280A12AA72F9B64',X'019A0C943CE2190DB50936FF2A16FCECFD32B3E29EF9BDBC8E7D64E2CAD50E0E9EA05EB070569DD5A70A32E72CE5C63D44ECA4F82F6B88089C6F120EE4',1796000000000,NULL);
INSERT INTO "data_key" VALUES(2,'context',X'8280A12AA72F9B64',X'010666CBA0173E025479C5DC2EEB7B28A4121DBAF771FF6FBE3ED7F72BB989F58DD1775646CC6EEA508F9CF3FD2E23AD1E912F8CE30F3A4676E3A7B5A9',1796000000000,NULL);
INSERT INTO "data_key" VALUES(3,'link_layer',X'8280A12AA72F9B64',X'01384A51E265431956A446373C232ECE70ACD0C2BC2F4456D83399F347CF1ED855512AEB36555BA8F93B11B435977C3CF17DEE35B6D2F0842F93EEC91C',1796000000000,NULL);
INSERT INTO "data_key" VALUES(4,'row_mac',X'8280A12AA72F9B64',X'01C4F1EDE3271F5F1F2448B75B719AD4A0F17364175BA364BECF6E2E2B4695B2B0C4A4F2057D6433E82C9A0D292F0DEF2F0CE7A00511466BA80B75680F',1796000000000,NULL);
INSERT INTO "data_key" VALUES(5,'fingerprint',X'8280A12AA72F9B64',X'014580934ADF90FEF2397AB6BE538262FC4E3DCF9D5EE6B28777E1BF603414DDDDBE21504F936C35C3CCF95626A6D992E8E9F3D7A98FF878D48B75E89E',1796000000000,NULL);
CREATE TABLE event (
	number INTEGER NOT NULL, 
	at_ms BIGINT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	pledge BLOB, 
	network VARCHAR(64), 
	actor VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	hash BLOB NOT NULL, 
	CONSTRAINT pk_event PRIMARY KEY (number)
);
INSERT INTO "event" VALUES(1,1796000000000,'key_generation.created',NULL,NULL,'cli:uid=1000','','{"generation":1,"key_domain":"lab","key_ids":[1]}',X'FBCE6269A28A2B16AD9B510BD84886F17D776963F93ABC4AB4E15F6BF6CA0DDE');
INSERT INTO "event" VALUES(2,1796000000000,'network.added',NULL,'lab','cli:uid=1000','','{"admission":"known","identifiers":["cafe"],"join_rate_bytes_per_s":null,"jrc_address":null,"jrc_address_from":null,"key_domain":"lab","lease_hours":null,"prefix":"2001:db8::/64","prefix_from":null,"profile":"rfc9031","quiet_outside_windows":false,"short_ids":"0001-7fff","throttle_bytes_per_s":null}',X'30E258CC002D68512D58725B26A8EC3A6428429B16FE18DD9C07922951B71E84');
INSERT INTO "event" VALUES(3,1796000000000,'pledge.added',X'00124B0000000001',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'F5F91D914D76722C399551B14103D60F1F07D95F90B38F9380CEE5FB6F36726E');
INSERT INTO "event" VALUES(4,1796000000000,'pledge.added',X'00124B0000000002',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'1482747D9221229CA8DC759265C32715B2361AD2EF666AEF0770AD87061777DB');
INSERT INTO "event" VALUES(5,1796000000000,'pledge.added',X'00124B0000000003',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'346BAE82DE5D93CAC738F0A2C41933BBE23B0F962E3915636776930C185BDA56');
INSERT INTO "event" VALUES(6,1796000000000,'pledge.revoked',X'00124B0000000002',NULL,'cli:uid=1000','','{}',X'253B24ED5FB76AE7C860E1929FBD77BAA726B72B60FF94F9B768BBFC4CBD78BC');
INSERT INTO "event" VALUES(7,1796000000000,'pledge.removed',X'00124B0000000003',NULL,'cli:uid=1000','','{}',X'26C6492DC099247248BCBADA0B37F5F3FA3D380A9A68AD0602616792965760D1');
CREATE TABLE import_batch (
	id INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	published_at_ms BIGINT, 
	row_count BIGINT NOT NULL, 
	CONSTRAINT pk_import_batch PRIMARY KEY (id), 
	CONSTRAINT ck_import_batch_state CHECK (state IN ('staged', 'published', 'discarded'))
);
CREATE TABLE installation (
	network_id INTEGER NOT NULL, 
	installer VARCHAR(64) NOT NULL, 
	generation BIGINT, 
	installed_at_ms BIGINT, 
	tried_at_ms BIGINT NOT NULL, 
	failures BIGINT NOT NULL, 
	error TEXT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_installation PRIMARY KEY (network_id, installer), 
	CONSTRAINT fk_installation_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
CREATE TABLE instance (
	id INTEGER NOT NULL, 
	epoch BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	commit_number BIGINT NOT NULL, 
	event_number BIGINT NOT NULL, 
	event_hash BLOB NOT NULL, 
	policy_revision BIGINT NOT NULL, 
	clock_high_water_ms BIGINT NOT NULL, 
	condition VARCHAR(16) NOT NULL, 
	condition_since_ms BIGINT NOT NULL, 
	condition_detail TEXT NOT NULL, 
	incarnation BIGINT NOT NULL, 
	event_floor BIGINT NOT NULL, 
	event_floor_hash BLOB NOT NULL, 
	server VARCHAR(64), 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_instance PRIMARY KEY (id), 
	CONSTRAINT ck_instance_single CHECK (id = 1), 
	CONSTRAINT ck_instance_condition CHECK (condition IN ('open', 'quarantined', 'moved'))
);
INSERT INTO "instance" VALUES(1,X'D8395C979A652873FBB8B2B0A8EE8A56',1796000000000,6,7,X'26C6492DC099247248BCBADA0B37F5F3FA3D380A9A68AD0602616792965760D1',6,1796000000000,'open',1796000000000,'',0,0,X'0000000000000000000000000000000000000000000000000000000000000000',NULL,7,X'120D2EAFC514000C31B5992A2EC1334B');
CREATE TABLE join_window (
	id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	opened_at_ms BIGINT NOT NULL, 
	until_ms BIGINT NOT NULL, 
	max_pledges BIGINT NOT NULL, 
	admitted BIGINT NOT NULL, 
	seen_before_ms BIGINT NOT NULL, 
	closed_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_join_window PRIMARY KEY (id), 
	CONSTRAINT ck_join_window_admitted CHECK (admitted BETWEEN 0 AND max_pledges), 
	CONSTRAINT fk_join_window_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
CREATE TABLE key_domain (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	key_usages VARCHAR(32) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_key_domain PRIMARY KEY (id), 
	CONSTRAINT uq_key_domain_name UNIQUE (name)
);
INSERT INTO "key_domain" VALUES(1,'lab','0',1796000000000,1,X'E7447087B1CE629D3B36065501988D33');
CREATE TABLE key_generation (
	id INTEGER NOT NULL, 
	domain_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	activated_at_ms BIGINT, 
	retired_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_key_generation PRIMARY KEY (id), 
	CONSTRAINT fk_key_generation_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT uq_key_generation_domain_id_number UNIQUE (domain_id, number)
);
INSERT INTO "key_generation" VALUES(1,1,1,'current',1796000000000,1796000000000,NULL,1,X'470BDD0F00642D20318672B837149DBD');
CREATE TABLE link_layer_key (
	id INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	key_id INTEGER NOT NULL, 
	key_usage INTEGER NOT NULL, 
	key_addinfo BLOB, 
	mic_length INTEGER NOT NULL, 
	fingerprint BLOB NOT NULL, 
	wrapped_value BLOB NOT NULL, 
	provenance VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_link_layer_key PRIMARY KEY (id), 
	CONSTRAINT fk_link_layer_key_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id), 
	CONSTRAINT uq_link_layer_key_fingerprint UNIQUE (fingerprint)
);
INSERT INTO "link_layer_key" VALUES(1,1,1,0,NULL,4,X'CCA1ABEBFDE60664FEC6939AA834F0B4',X'0100000003D1D1E2571935BF2E5C597012DA4CCB161DA96FD740943AA0757BCDCCF12F48CEEEFCB6D45AE73C457759E27E','generated');
CREATE TABLE network (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	domain_id INTEGER NOT NULL, 
	prefix VARCHAR(43) NOT NULL, 
	prefix_from VARCHAR(15), 
	jrc_address VARCHAR(39), 
	jrc_address_from VARCHAR(15), 
	addresses_changed_at_ms BIGINT, 
	short_id_first INTEGER NOT NULL, 
	short_id_last INTEGER NOT NULL, 
	lease_hours BIGINT, 
	join_rate BIGINT, 
	throttle BIGINT, 
	quiet INTEGER NOT NULL, 
	profile VARCHAR(16) NOT NULL, 
	admission VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	removed_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_network PRIMARY KEY (id), 
	CONSTRAINT ck_network_admission CHECK (admission IN ('known', 'window', 'approval')), 
	CONSTRAINT fk_network_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id)
);
INSERT INTO "network" VALUES(1,'lab',1,'2001:db8::/64',NULL,NULL,NULL,NULL,1,32767,NULL,NULL,NULL,0,'rfc9031','known',1796000000000,NULL,1,X'7F5CD10AA52CAEEB285A857CA1776FD6');
CREATE TABLE network_identifier (
	network_id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	position INTEGER NOT NULL, 
	since_ms BIGINT NOT NULL, 
	CONSTRAINT pk_network_identifier PRIMARY KEY (network_id, identifier), 
	CONSTRAINT fk_network_identifier_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
INSERT INTO "network_identifier" VALUES(1,X'CAFE',0,1796000000000);
CREATE TABLE network_settings (
	network_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	join_rate BIGINT, 
	jrc_address VARCHAR(39), 
	blocked BLOB NOT NULL, 
	since_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_network_settings PRIMARY KEY (network_id, number), 
	CONSTRAINT fk_network_settings_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
INSERT INTO "network_settings" VALUES(1,0,NULL,NULL,X'80',1796000000000,1,X'9E892B2A56AEC37A3A9AD1DD9D422076');
INSERT INTO "network_settings" VALUES(1,1,NULL,NULL,X'814800124B0000000002',1796000000000,1,X'1EBBE28EFCA7349E468DB32F38BA5089');
CREATE TABLE node (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	generation_id INTEGER, 
	first_joined_at_ms BIGINT NOT NULL, 
	address VARCHAR(39), 
	settings_number BIGINT NOT NULL, 
	sleep_s BIGINT, 
	CONSTRAINT pk_node PRIMARY KEY (pledge_id), 
	CONSTRAINT fk_node_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id), 
	CONSTRAINT fk_node_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_node_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE node_update (
	pledge_id INTEGER NOT NULL, 
	attempts BIGINT NOT NULL, 
	last_error TEXT, 
	tried_at_ms BIGINT, 
	next_at_ms BIGINT, 
	acknowledged_at_ms BIGINT, 
	refused_number BIGINT, 
	lease_sent_at_ms BIGINT, 
	throttle BIGINT, 
	told_throttle BIGINT, 
	CONSTRAINT pk_node_update PRIMARY KEY (pledge_id), 
	CONSTRAINT fk_node_update_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE pledge (
	id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	state_before_revocation VARCHAR(16), 
	role INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	profile VARCHAR(16), 
	credential_id INTEGER, 
	import_id INTEGER, 
	supersedes_id INTEGER, 
	created_at_ms BIGINT NOT NULL, 
	updated_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_pledge PRIMARY KEY (id), 
	CONSTRAINT fk_pledge_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_pledge_supersedes_id_pledge FOREIGN KEY(supersedes_id) REFERENCES pledge (id), 
	CONSTRAINT uq_pledge_identifier UNIQUE (identifier)
);
INSERT INTO "pledge" VALUES(1,X'00124B0000000001','provisioned',NULL,0,'',NULL,1,NULL,NULL,1796000000000,1796000000000,1,X'D2FB39087E9D6BDE897CC4C75AF6507A');
INSERT INTO "pledge" VALUES(2,X'00124B0000000002','revoked','provisioned',0,'',NULL,2,NULL,NULL,1796000000000,1796000000000,2,X'73ABF895C3B5CC4985CF43B870FC0A1D');
INSERT INTO "pledge" VALUES(3,X'00124B0000000003','removed',NULL,0,'',NULL,NULL,NULL,NULL,1796000000000,1796000000000,2,X'BB7A1071DAA2A404EB9DF1FF6CBB3331');
CREATE TABLE pledge_network (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_pledge_network PRIMARY KEY (pledge_id, network_id), 
	CONSTRAINT fk_pledge_network_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_pledge_network_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
INSERT INTO "pledge_network" VALUES(1,1,0);
INSERT INTO "pledge_network" VALUES(2,1,0);
CREATE TABLE rollover (
	id INTEGER NOT NULL, 
	domain_id INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	former_generation_id INTEGER NOT NULL, 
	phase VARCHAR(16) NOT NULL, 
	paused_from VARCHAR(16), 
	pause_cause VARCHAR(32), 
	cause VARCHAR(16) NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	quorum INTEGER NOT NULL, 
	deadline_s BIGINT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	distributing_at_ms BIGINT, 
	deadline_at_ms BIGINT, 
	switching_at_ms BIGINT, 
	guarding_at_ms BIGINT, 
	ended_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_rollover PRIMARY KEY (id), 
	CONSTRAINT ck_rollover_quorum CHECK (quorum BETWEEN 0 AND 1000), 
	CONSTRAINT fk_rollover_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT fk_rollover_former_generation_id_key_generation FOREIGN KEY(former_generation_id) REFERENCES key_generation (id), 
	CONSTRAINT fk_rollover_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id)
);
CREATE TABLE rollover_node (
	rollover_id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts BIGINT NOT NULL, 
	last_error TEXT, 
	sent_at_ms BIGINT, 
	reached_at_ms BIGINT, 
	tried_at_ms BIGINT, 
	next_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_rollover_node PRIMARY KEY (rollover_id, pledge_id), 
	CONSTRAINT fk_rollover_node_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_rollover_node_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id), 
	CONSTRAINT fk_rollover_node_rollover_id_rollover FOREIGN KEY(rollover_id) REFERENCES rollover (id)
);
CREATE TABLE short_identifier (
	domain_id INTEGER NOT NULL, 
	value INTEGER NOT NULL, 
	pledge_id INTEGER, 
	first_generation BIGINT NOT NULL, 
	last_generation BIGINT NOT NULL, 
	lease_until_ms BIGINT, 
	released_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_short_identifier PRIMARY KEY (domain_id, value), 
	CONSTRAINT ck_short_identifier_holder CHECK (pledge_id IS NOT NULL OR released_at_ms IS NOT NULL), 
	CONSTRAINT ck_short_identifier_value CHECK (value BETWEEN 0 AND 65533), 
	CONSTRAINT fk_short_identifier_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT fk_short_identifier_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE staged_change (
	import_id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	credential_id INTEGER, 
	role INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	profile VARCHAR(16), 
	network_ids TEXT NOT NULL, 
	source TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_staged_change PRIMARY KEY (import_id, pledge_id), 
	CONSTRAINT fk_staged_change_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_staged_change_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_staged_change_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE unsupported_parameter (
	pledge_id INTEGER NOT NULL, 
	label BIGINT NOT NULL, 
	code BIGINT NOT NULL, 
	addinfo BLOB, 
	reported_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_unsupported_parameter PRIMARY KEY (pledge_id, label), 
	CONSTRAINT fk_unsupported_parameter_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE wanted_rollover (
	domain_id INTEGER NOT NULL, 
	cause VARCHAR(16) NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	asked_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_wanted_rollover PRIMARY KEY (domain_id), 
	CONSTRAINT fk_wanted_rollover_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id)
);
CREATE INDEX ix_event_pledge ON event (pledge) WHERE kind <> 'pledge.joined';
CREATE INDEX ix_network_domain_id ON network (domain_id);
CREATE UNIQUE INDEX uq_network_name_live ON network (name) WHERE removed_at_ms IS NULL;
CREATE UNIQUE INDEX uq_join_window_open ON join_window (network_id) WHERE closed_at_ms IS NULL;
CREATE INDEX ix_pledge_import_id ON pledge (import_id);
CREATE INDEX ix_admission_network_id ON admission (network_id);
CREATE INDEX ix_credential_import_id ON credential (import_id);
CREATE INDEX ix_credential_pledge_id ON credential (pledge_id);
CREATE INDEX ix_link_layer_key_generation_id ON link_layer_key (generation_id);
CREATE INDEX ix_network_identifier_identifier ON network_identifier (identifier);
CREATE INDEX ix_pledge_network_network ON pledge_network (network_id, pledge_id);
CREATE UNIQUE INDEX uq_short_identifier_holder ON short_identifier (pledge_id, domain_id);
CREATE INDEX ix_context_credential_id ON context (credential_id);
CREATE INDEX ix_context_pledge_id ON context (pledge_id);
CREATE INDEX ix_staged_change_credential_id ON staged_change (credential_id);
CREATE INDEX ix_context_kid_context_id ON context_kid (context_id);
CREATE INDEX ix_node_update_due ON node_update (next_at_ms) WHERE next_at_ms IS NOT NULL;
CREATE UNIQUE INDEX uq_rollover_running ON rollover (domain_id) WHERE ended_at_ms IS NULL;
CREATE INDEX ix_rollover_node_due ON rollover_node (next_at_ms) WHERE next_at_ms IS NOT NULL;
COMMIT;
