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
INSERT INTO "context" VALUES(1,1,1,X'00124B0000000001',10,X'01000000021960F35CA6F5FD0BE1C2F12CB9828332076F9CF205EF093D8C2256A1E780E94194114E53706A2FF4B380E2619E65052D10EA254D0856A4231419A992A222BD99213E23FCD7C91D4659F31BCE63',1796000000000);
INSERT INTO "context" VALUES(2,2,2,X'00124B0000000002',10,X'01000000020F7DBD3F566A98A475AF57395115F37AA8D5B98AE38E81D1F09F28751DE10803D71A890C71796E24139AC96B59B0D73C3D28FC93BC4385D109668DE191F529926606572F10EA1C0E650C805FC3',1796000000000);
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
INSERT INTO "context_state" VALUES(1,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'8F2380F3018A8C781C3B337813F8E161');
INSERT INTO "context_state" VALUES(2,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'14C9AC9F0BF5EC45D987FEA399B8BAFC');
INSERT INTO "context_state" VALUES(3,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'7102A632B7426489177843EA0D91EAF8');
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
INSERT INTO "credential" VALUES(1,1,'psk',X'0100000001158D3456D1D529BCA007C43DB04CFF8403E7F51E387393349C3E82AFE9E92CE4128563ECC020582546B8A4F1',10,-10,'operator','','current',NULL,X'BDAAC1D9553E05647A64B3B89CCFC179',X'A3EA06CF8789CBA4E8EC924140C651F3',X'4F77C2117E07C3ACA28E52EC2E0AE2A8',1796000000000,NULL);
INSERT INTO "credential" VALUES(2,2,'psk',X'0100000001EAEDD6C60120922A52A8454DC0BA4AA92B448C675A8A96F8751502BA9936B0530F2CEB5556700287AEEACE0D',10,-10,'operator','','current',NULL,X'F5763B30BDD65AD6FF8050C5870F1472',X'4F831CD402FA10A59C6E7F3E395E99A2',X'21AD36C63132C3C15A217236658BB223',1796000000000,NULL);
INSERT INTO "credential" VALUES(3,3,'psk',NULL,10,-10,'operator','','removed',NULL,X'30C244366135B8F5A4E87C74A5C9F1DE',X'FA26A955304C13A1592F8B3971DC3F92',X'69BAE5DA4C542D2E2EF05187C7C6B9EB',1796000000000,1796000000000);
CREATE TABLE data_key (
	id INTEGER NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	kek_id BLOB NOT NULL, 
	wrapped BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_data_key PRIMARY KEY (id)
);
INSERT INTO "data_key" VALUES(1,'credential',X'8280A12AA72F9B64',X'01905623CF14D55BDB715C8049D98FCE9771E36B3550F2C4C1FEF76D987A14F3D8B644E00B7531008107809FBDA7D87EBCA2B935FBA2C4F07EE81D9546',1796000000000,NULL);
INSERT INTO "data_key" VALUES(2,'context',X'8280A12AA72F9B64',X'01D4C81090EDFC5606160ADE6B56C4D980AEC999D426608B125A6177B6B72E4933907B9A2E2ECD6CB47D07B6D222A42DF3EE73E254B7167C9C57ADFA91',1796000000000,NULL);
INSERT INTO "data_key" VALUES(3,'link_layer',X'8280A12AA72F9B64',X'012EE299BA4773733E96E96DCBE4819EF760C7793E224CCA92F8862C0003CA5DDB526F04D07881BB5BF60B447C163293DF052479E15354F86CB7E59CF8',1796000000000,NULL);
INSERT INTO "data_key" VALUES(4,'row_mac',X'8280A12AA72F9B64',X'0191096D207C260C8A6700D6D1BB68D94BC9A5233BFE27D643462C12116D03FD12C1F621A67BF6497FE698DEA46A93352F576E742DB5D891E6CD40C242',1796000000000,NULL);
INSERT INTO "data_key" VALUES(5,'fingerprint',X'8280A12AA72F9B64',X'01EC1B73FCC49FD98B7A7A4D66205CF767CBFCB68167393C92F2A817ED1014A599FA184AF0D0107164C7C7801C8FC712C222BEA2769C293BE942520161',1796000000000,NULL);
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
INSERT INTO "event" VALUES(2,1796000000000,'network.added',NULL,'lab','cli:uid=1000','','{"admission":"known","identifiers":["cafe"],"join_rate_bytes_per_s":null,"jrc_address":null,"jrc_address_from":null,"key_domain":"lab","lease_hours":null,"prefix":"2001:db8::/64","prefix_from":null,"profile":"rfc9031","short_ids":"0001-7fff"}',X'673CBE8F183DC8C7A1496E0E245D5C0A82CA5D48EFD7E3277013A00EB29CE53E');
INSERT INTO "event" VALUES(3,1796000000000,'pledge.added',X'00124B0000000001',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'99D8474B60DA6BF17990C3AD5AA6539175753B02342E8C37160E16527CB043AF');
INSERT INTO "event" VALUES(4,1796000000000,'pledge.added',X'00124B0000000002',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'BB46AE20E7E178F4999C9F2437E8FD85656894DF7866243E644FF9CE1A4E5111');
INSERT INTO "event" VALUES(5,1796000000000,'pledge.added',X'00124B0000000003',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'33F7C7520BEA6E82662A4472990CF76ECBD4181F997E986860E1A7ABE09AC151');
INSERT INTO "event" VALUES(6,1796000000000,'pledge.revoked',X'00124B0000000002',NULL,'cli:uid=1000','','{}',X'95F4951640C7507C158568CD201254B5222591C721649CEA73523B7443296C10');
INSERT INTO "event" VALUES(7,1796000000000,'pledge.removed',X'00124B0000000003',NULL,'cli:uid=1000','','{}',X'22E317B27CF278D35F1DF29BD81A7B62402FE4223681DE521CE2084A4F56D403');
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
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_instance PRIMARY KEY (id), 
	CONSTRAINT ck_instance_single CHECK (id = 1)
);
INSERT INTO "instance" VALUES(1,X'C3D52FBB73AFCC53AAA34952791F7F7A',1796000000000,6,7,X'22E317B27CF278D35F1DF29BD81A7B62402FE4223681DE521CE2084A4F56D403',6,1796000000000,7,X'7189D423F95C4A5EF05158E10476420F');
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
INSERT INTO "key_domain" VALUES(1,'lab','0',1796000000000,1,X'B484316483D0A1E745814166BBF217EE');
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
INSERT INTO "key_generation" VALUES(1,1,1,'current',1796000000000,1796000000000,NULL,1,X'BE164088AB5713071C0CD2F0A5B2AD78');
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
INSERT INTO "link_layer_key" VALUES(1,1,1,0,NULL,4,X'F9701067A431BCCA331B980F8078E467',X'01000000038534442EA72797E3D3BCDB44276D71FF39E4B167F3847954CCB34E6717E9BAC35D56E14CFC5DFE9E9CCF79EB','generated');
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
INSERT INTO "network" VALUES(1,'lab',1,'2001:db8::/64',NULL,NULL,NULL,NULL,1,32767,NULL,NULL,'rfc9031','known',1796000000000,NULL,1,X'EB78A7E19D89F940DBC82F6C9F5B8BE0');
CREATE TABLE network_identifier (
	network_id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_network_identifier PRIMARY KEY (network_id, identifier), 
	CONSTRAINT fk_network_identifier_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
INSERT INTO "network_identifier" VALUES(1,X'CAFE',0);
CREATE TABLE node (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	first_joined_at_ms BIGINT NOT NULL, 
	address VARCHAR(39), 
	CONSTRAINT pk_node PRIMARY KEY (pledge_id), 
	CONSTRAINT fk_node_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id), 
	CONSTRAINT fk_node_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_node_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
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
INSERT INTO "pledge" VALUES(1,X'00124B0000000001','provisioned',NULL,0,'',NULL,1,NULL,NULL,1796000000000,1796000000000,1,X'A4356565B5F1CAB83322748A88827073');
INSERT INTO "pledge" VALUES(2,X'00124B0000000002','revoked','provisioned',0,'',NULL,2,NULL,NULL,1796000000000,1796000000000,2,X'04E1BC0F3DFA4E71C65A06DC0E7BCD1D');
INSERT INTO "pledge" VALUES(3,X'00124B0000000003','removed',NULL,0,'',NULL,NULL,NULL,NULL,1796000000000,1796000000000,2,X'8C4BFAABD7570A2152B46A1B907F4C9B');
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
COMMIT;
